# The service with its GPU build of torch. Published weights are mounted or downloaded; the
# default network is in the image:
#   docker build -t mmpose-service .
#   docker run --rm -v pose-access:/app/access mmpose-service \
#     mmpose-service keys add me --file /app/access/keys.json
#   docker run --gpus all -p 8003:8003 -v "$PWD/weights/mmpose:/app/weights/mmpose" \
#     -v pose-access:/app/access -e MMPOSE_KEYS_FILE=/app/access/keys.json mmpose-service
# Without keys it does not start, unless MMPOSE_ACCESS=gateway says that a gateway authenticates.
# The image holds PyAV, whose wheel bundles x264: treat a redistributed image as GPL.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.lock requirements-dev.lock requirements-cuda.lock pyproject.toml README.md ./
COPY scripts/setup.sh scripts/
COPY biomech biomech
COPY deployments deployments
COPY serve_app serve_app
COPY config config
# The container's own network instead of loopback, for callers with keys; all else is that of one machine.
RUN sed -e 's/host: 127[.]0[.]0[.]1 .*/host: 0.0.0.0/' -e 's/args: {} .*/args: {access: keys}/' config/serve.local.yaml > config/serve.container.yaml
RUN sh scripts/setup.sh /app/.venv --no-dev

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 pose
WORKDIR /app
COPY --from=build --chown=pose /app /app
COPY --chown=pose scripts scripts
RUN mkdir -p /app/weights/mmpose /app/out /app/access && chown -R pose /app/weights /app/out /app/access
USER pose
ENV PATH=/app/.venv/bin:$PATH \
    RAY_USAGE_STATS_ENABLED=0 \
    RAY_AUTH_MODE=token \
    RAY_AUTH_TOKEN_PATH=/home/pose/.ray/auth_token \
    MMPOSE_WEIGHTS_DIR=/app/weights/mmpose
EXPOSE 8003
HEALTHCHECK --interval=10s --start-period=90s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8003/livez', timeout=5)"]
CMD ["mmpose-service", "serve", "config/serve.container.yaml"]
