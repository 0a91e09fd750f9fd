# SPDX-License-Identifier: Apache-2.0
# Stand-in for apache/kafka: the official jars on Debian's Java; settings come from the same variables,
# and the tool of the health check asks the broker what it speaks, as the official one does.
FROM debian:bookworm-slim
RUN apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless && apt-get clean \
    && install -d -o 1000 -g 1000 /var/lib/kafka/data
COPY jars /opt/kafka/libs
COPY kafka-broker-api-versions.sh /opt/kafka/bin/kafka-broker-api-versions.sh
COPY kafka-start.sh /opt/kafka/start.sh
ENV LIBS=/opt/kafka/libs
USER 1000
VOLUME /var/lib/kafka/data
CMD ["sh", "/opt/kafka/start.sh"]
