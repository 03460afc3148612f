# The images of the services, selected by SERVICE, and of `setup` in docker-compose.yml. Requires BuildKit.

ARG RUST_IMAGE=docker.io/library/rust:1-slim-bookworm
# Its glibc must not be older than that of RUST_IMAGE.
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim
ARG POSTGRES_IMAGE=docker.io/library/postgres:17


FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
ARG BUILD_PROFILE=release
ENV CARGO_INCREMENTAL=0
# One program for all services: under the name of a service, `stack` is that service (docs/decisions/0012).
# The cached target directory may be from another checkout with newer files. `touch` makes cargo rebuild our crates.
RUN --mount=type=cache,id=countersign-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=countersign-target,target=/src/target,sharing=locked \
    find crates -name '*.rs' -exec touch {} + \
 && cargo build --locked --profile "$BUILD_PROFILE" -p stack \
 && built=target/$(echo "$BUILD_PROFILE" | sed 's/^dev$/debug/') \
 && mkdir /out \
 && strip --strip-debug -o /out/stack "$built/stack"


FROM ${DEBIAN_IMAGE} AS service
# A new volume takes its owner from the directory where it is mounted.
RUN install -d -o 10001 -g 10001 -m 0700 /secrets
# TLS clients require root certificates, and the slim image has none.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/stack /usr/local/bin/
# The layers above are the same in all images.
ARG SERVICE
ENV SERVICE=${SERVICE}
RUN ln -s stack "/usr/local/bin/$SERVICE"
USER 10001:10001
CMD exec "$SERVICE"


FROM ${POSTGRES_IMAGE} AS setup
COPY services.toml /
RUN for service in $(sed -n 's/^name = "\(.*\)"$/\1/p' /services.toml); do \
        install -d -o 10001 -g 10001 -m 0700 "/secrets/$service" || exit 1; \
    done
COPY scripts/compose-setup /usr/local/bin/
USER 10001:10001
ENTRYPOINT ["compose-setup"]
