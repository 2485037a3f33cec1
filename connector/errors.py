"""The five errors, named by what the caller does next. HTTP types never leave an adapter."""

from __future__ import annotations

from dataclasses import dataclass


class ConnectorError(Exception):
    """An expected failure. `str()` is a sentence for a billing admin; never a secret."""


class RetryLater(ConnectorError):
    """The partner cannot answer now (throttled, down, busy); nothing was written. Try again after `after_s`."""

    def __init__(self, message: str, *, after_s: float = 60.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Busy(RetryLater):
    """Not a partner, but another process of ours works on this store just now."""


class NeedsRecovery(ConnectorError):
    """The store does not know of work that was done in its name. Nothing is written until `connector recover` was run."""


class OutcomeUnknown(ConnectorError):
    """A write met silence or a 5xx: it may have happened. Look the record up before sending again."""


class Rejected(ConnectorError):
    """The partner refused this one write or read; it will refuse it again. Park it and tell a human."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Unauthorized(ConnectorError):
    """The partner does not accept our credentials or our role lacks a right. Stop this partner, go on with the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong in a file, at a place. `line` and `column` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        if self.line:
            return f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{self.file}: {self.message}"


class ConfigError(ConnectorError):
    """Configuration or a field mapping is wrong. Names file, line, column and the allowed words; nothing was changed."""

    def __init__(self, *problems: Problem | str) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
