# The gateway alone: no compiler, no build tool, no shell script of ours. Build: docker build -t ozg-gateway .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
# The locks first: what they install is cached until one of them changes.
COPY requirements.lock requirements-build.lock pyproject.toml ./
COPY scripts/setup scripts/setup
COPY README.md LICENSE ./
COPY xoev_schemas xoev_schemas
COPY queues queues
COPY adapters adapters
COPY gateway gateway
COPY services services
COPY targets targets
COPY clients clients
# The same code that `make setup` runs.
RUN scripts/setup --runtime /opt/gateway && /opt/gateway/bin/python -m pip uninstall --quiet --yes pip setuptools

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="OZG/EfA integration gateway" \
      org.opencontainers.image.licenses="EUPL-1.2"
RUN groupadd --gid 10001 gateway \
 && useradd --uid 10001 --gid gateway --home-dir /var/lib/gateway --no-create-home --shell /usr/sbin/nologin gateway \
 && install -d -o gateway -g gateway -m 0750 /var/lib/gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOME=/var/lib/gateway \
    GATEWAY_LISTEN=0.0.0.0:8080
# The only folder that is written to: the container may run with a read-only root and a tmpfs at /tmp.
VOLUME /var/lib/gateway
WORKDIR /var/lib/gateway
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
ENTRYPOINT ["gateway"]
CMD ["run"]
