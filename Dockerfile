# The daemon in a small image: built with a full toolchain, run without one and not as root.
FROM rust:1.95-slim-bookworm AS build
# What librdkafka is built with.
RUN apt-get update && apt-get install -y --no-install-recommends g++ libssl-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --features rdkafka --bin orderd \
    && cp target/release/orderd /orderd

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data --create-home orderd
COPY --from=build /orderd /usr/local/bin/orderd
USER orderd
WORKDIR /data
ENV ORDERD_LISTEN=0.0.0.0:8081 ORDERD_DATA_DIR=/data
EXPOSE 8081
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=6 \
    CMD ["orderd", "health"]
ENTRYPOINT ["orderd"]
CMD ["serve"]
