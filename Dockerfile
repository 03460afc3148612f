# The services' images, one for each by SERVICE, and the `setup` of docker-compose.yml. Needs BuildKit.

ARG RUST_IMAGE=docker.io/library/rust:1-slim-bookworm
# Its glibc may not be older than the one that RUST_IMAGE builds with.
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim
ARG POSTGRES_IMAGE=docker.io/library/postgres:17


FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
ARG BUILD_PROFILE=release
ENV CARGO_INCREMENTAL=0
# All services by one command, so that what they share is built once; the register says which there are.
# What was built before may be of another checkout, with younger files than this one has: so ours are built anew.
RUN --mount=type=cache,id=countersign-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=countersign-target,target=/src/target,sharing=locked \
    services=$(sed -n 's/^name = "\(.*\)"$/\1/p' services.toml) \
 && find crates -name '*.rs' -exec touch {} + \
 && cargo build --locked --profile "$BUILD_PROFILE" $(printf ' -p %s' $services) \
 && built=target/$(echo "$BUILD_PROFILE" | sed 's/^dev$/debug/') \
 && mkdir /out \
 && for service in $services; do strip --strip-debug -o "/out/$service" "$built/$service" || exit 1; done


FROM ${DEBIAN_IMAGE} AS service
# A fresh volume takes its owner from where it is mounted.
RUN install -d -o 10001 -g 10001 -m 0700 /secrets
# Clients of TLS do not start without, and the slim image has none.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ARG SERVICE
ENV SERVICE=${SERVICE}
COPY --from=build /out/${SERVICE} /usr/local/bin/
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
