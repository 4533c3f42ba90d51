# Two images: `sandbox`, every role of a live system, and `mlflow`, the model registry's server.
# docker-compose.yml builds both. Behind an index of one's own:
#   docker build --secret id=pip,src=pip.conf --secret id=ca,src=bundle.pem --target sandbox .
ARG PYTHON_VERSION=3.11.14-slim-bookworm

FROM python:${PYTHON_VERSION} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv --without-pip /venv

# What the package needs changes less often than pyproject.toml, and comes before the package.
FROM build AS needs
COPY pyproject.toml ./
RUN python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > needs.txt

FROM build AS build-sandbox
COPY constraints.txt ./
COPY --from=needs /build/needs.txt ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m pip --python /venv/bin/python install --quiet -c constraints.txt -r needs.txt
COPY pyproject.toml README.md LICENSE ./
COPY sandbox ./sandbox
COPY scenarios ./scenarios
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m pip --python /venv/bin/python install --quiet --no-deps .

FROM build AS build-mlflow
COPY image/mlflow.txt ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m pip --python /venv/bin/python install --quiet -r mlflow.txt

FROM python:${PYTHON_VERSION} AS runtime
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin sandbox

FROM runtime AS mlflow
COPY --from=build-mlflow /venv /venv
RUN install -d -o sandbox -g sandbox /var/lib/mlflow
USER 10001:10001
WORKDIR /var/lib/mlflow
EXPOSE 5000
ENTRYPOINT ["mlflow"]

FROM runtime AS sandbox
COPY --from=build-sandbox /venv /venv
COPY --chmod=755 image/role-ready /usr/local/bin/
ENV NUMBA_CACHE_DIR=/var/cache/kernels
RUN install -d -o sandbox -g sandbox /var/cache/kernels /var/lib/sandbox
USER 10001:10001
WORKDIR /home/sandbox
# Compile what runs on hot paths, so that containers need not.
RUN sandbox run fraud --days 2 --no-incidents --quiet --out /tmp/warm && rm -r /tmp/warm
ENTRYPOINT ["sandbox"]
CMD ["--help"]
