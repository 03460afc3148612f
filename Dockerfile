# The images of the services, selected by SERVICE, and of `setup` in docker-compose.yml. Requires BuildKit.

# Defaults stand where they are used: docker-compose 1.29 sets each argument that is not given to nothing.
ARG RUST_IMAGE
ARG DEBIAN_IMAGE
ARG POSTGRES_IMAGE


FROM ${RUST_IMAGE:-docker.io/library/rust:1-slim-bookworm} AS build
WORKDIR /src
COPY . .
ARG BUILD_PROFILE
ENV CARGO_INCREMENTAL=0
# One program for all services: under the name of a service, `stack` is that service (docs/decisions/0012).
# The cached target directory may be from another checkout with newer files. `touch` makes cargo rebuild our crates.
RUN --mount=type=cache,id=countersign-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=countersign-target,target=/src/target,sharing=locked \
    profile=${BUILD_PROFILE:-release} \
 && find crates -name '*.rs' -exec touch {} + \
 && cargo build --locked --profile "$profile" -p stack \
 && built=target/$(echo "$profile" | sed 's/^dev$/debug/') \
 && mkdir /out \
 && strip --strip-debug -o /out/stack "$built/stack"


# Its glibc must not be older than that of RUST_IMAGE.
FROM ${DEBIAN_IMAGE:-docker.io/library/debian:bookworm-slim} AS service
# A new volume takes its owner from the directory where it is mounted.
RUN install -d -o 10001 -g 10001 -m 0700 /secrets /data
# TLS clients require root certificates, and the slim image has none.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/stack /usr/local/bin/
# The layers above are the same in all images.
ARG SERVICE
ENV SERVICE=${SERVICE}
RUN ln -s stack "/usr/local/bin/$SERVICE"
USER 10001:10001
CMD exec "$SERVICE"


FROM ${POSTGRES_IMAGE:-docker.io/library/postgres:17} AS setup
COPY services.toml /
RUN install -d -o 10001 -g 10001 -m 0700 /nats \
 && for service in $(sed -n 's/^name = "\(.*\)"$/\1/p' /services.toml); do \
        install -d -o 10001 -g 10001 -m 0700 "/secrets/$service" || exit 1; \
    done
COPY scripts/compose-setup /usr/local/bin/
USER 10001:10001
ENTRYPOINT ["compose-setup"]
