"""The flows, in the order money takes: mirror, release, collect, deliver, reconcile; beside them enrol.

A flow's body reads top to bottom: gather, decide (pure, in connector.model), write.
"""
