# The program, certificates and nothing else: no shell, no package manager, no library. `make dist` builds it where a Docker
# daemon is; docs/install.md says how it is run.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN make static
RUN mkdir -p /image/etc/ssl/certs /image/etc/defenderbeat /image/var/lib/defenderbeat \
    && cp target/static/defenderbeat /image/ \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp LICENSE /image/

FROM scratch
LABEL org.opencontainers.image.title="defenderbeat" \
      org.opencontainers.image.description="Collects Microsoft Defender XDR records as ECS documents" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nobody of the host's: the user of distroless images.
COPY --from=build --chown=65532:65532 /image/ /
USER 65532:65532
# The root file system may be read-only: it writes below this folder only.
VOLUME /var/lib/defenderbeat
EXPOSE 5066
ENTRYPOINT ["/defenderbeat"]
CMD ["run", "-c", "/etc/defenderbeat/defenderbeat.yml"]
