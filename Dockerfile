# Any image with Python 3.11 or newer and its venv module will do.
ARG BASE=docker.io/library/python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
# Dependencies first: they change less often than the sources.
COPY requirements.txt requirements-build.txt ./
RUN python3 -m venv /opt/connector \
 && /opt/connector/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY connector connector
COPY adapters adapters
COPY mappings mappings
RUN /opt/build/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/connector/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index /tmp/wheel/*.whl \
 && /opt/connector/bin/python -m compileall -q /opt/connector/lib \
 && /opt/connector/bin/pip uninstall --yes --quiet pip setuptools

FROM ${BASE}
LABEL org.opencontainers.image.title="PSA Connector" \
      org.opencontainers.image.description="Mirrors PSA agreements into Stripe, collects every period, writes payments back" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 connector \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/connector --shell /usr/sbin/nologin connector \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/connector \
 && install --directory --mode=0755 /etc/connector
COPY --from=build /opt/connector /opt/connector
ENV PATH=/opt/connector/bin:$PATH \
    CONNECTOR_CONFIG=/etc/connector/connector.yaml \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/connector
VOLUME /var/lib/connector
EXPOSE 8080
# serve.port other than 8080: set CONNECTOR_PORT to it as well.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('CONNECTOR_PORT', '8080') + '/livez', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["connector"]
CMD ["run"]
