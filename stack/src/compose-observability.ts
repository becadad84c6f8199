import type { Instance } from './topology.ts'
import { toYaml, type Yaml } from './yaml.ts'

const written =
  '# Written by node stack/src/compose.ts from the topology: change that. See README.md here.\n'

const confined = {
  security_opt: ['no-new-privileges:true'],
  cap_drop: ['ALL'],
  read_only: true,
  restart: 'unless-stopped',
}

const well = (url: string) => ({
  healthcheck: {
    test: ['CMD', 'wget', '--quiet', '--spider', url],
    ...{ interval: '10s', timeout: '5s', retries: 6, start_period: '30s' },
  },
})

/** Where spans go. */
const otlp = 'http://otel-collector:4318'

// Each part that has a metrics port makes spans too.
const isWatched = ({ part }: Instance) => part.listens.includes('metrics')

const prometheus: Yaml = {
  image: 'prom/prometheus:v3.5.0',
  command: [
    '--config.file=/etc/prometheus/prometheus.yaml',
    '--storage.tsdb.retention.time=15d',
    '--storage.tsdb.retention.size=4GB',
  ],
  ports: ['127.0.0.1:9090:9090'],
  volumes: [
    './observability/prometheus.yaml:/etc/prometheus/prometheus.yaml:ro',
    '../observability/prometheus:/etc/prometheus/rules:ro',
    'prometheus:/prometheus',
  ],
  ...well('http://127.0.0.1:9090/-/ready'),
  ...{ ...confined, mem_limit: '1g', cpus: 1, pids_limit: 200 },
}

const alertmanager: Yaml = {
  image: 'prom/alertmanager:v0.28.1',
  command: [
    '--config.file=/etc/alertmanager/alertmanager.yaml',
    '--storage.path=/alertmanager',
    '--cluster.listen-address=',
  ],
  ports: ['127.0.0.1:9093:9093'],
  volumes: [
    './observability/alertmanager.yaml:/etc/alertmanager/alertmanager.yaml:ro',
    'alertmanager:/alertmanager',
  ],
  ...well('http://127.0.0.1:9093/-/ready'),
  ...{ ...confined, mem_limit: '128m', cpus: 0.5, pids_limit: 100 },
}

/** It has no program but itself, so nothing can ask it from inside: Prometheus does. */
const collector: Yaml = {
  image: 'otel/opentelemetry-collector-contrib:0.135.0',
  command: ['--config=/etc/otel/collector.yaml'],
  expose: ['4317', '4318'],
  volumes: ['./observability/collector.yaml:/etc/otel/collector.yaml:ro'],
  depends_on: { jaeger: { condition: 'service_started' } },
  ...{ ...confined, mem_limit: '256m', cpus: 0.5, pids_limit: 100 },
}

/** Keeps the last traces in memory. */
const jaeger: Yaml = {
  image: 'jaegertracing/jaeger:2.10.0',
  ports: ['127.0.0.1:16686:16686'],
  expose: ['4317'],
  ...{ ...confined, mem_limit: '1g', cpus: 1, pids_limit: 200 },
}

const grafana: Yaml = {
  image: 'grafana/grafana:12.1.1',
  environment: {
    GF_SECURITY_ADMIN_PASSWORD__FILE: '/run/secrets/grafana-password',
    GF_ANALYTICS_REPORTING_ENABLED: 'false',
    GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
    GF_PLUGINS_PREINSTALL_DISABLED: 'true',
  },
  secrets: ['grafana-password'],
  ports: ['127.0.0.1:3000:3000'],
  volumes: [
    './observability/grafana:/etc/grafana/provisioning:ro',
    '../observability/grafana:/var/lib/grafana/dashboards:ro',
    'grafana:/var/lib/grafana',
  ],
  tmpfs: ['/tmp'],
  depends_on: { prometheus: { condition: 'service_healthy' } },
  ...well('http://127.0.0.1:3000/api/health'),
  ...{ ...confined, mem_limit: '512m', cpus: 1, pids_limit: 200 },
}

/** The text of `observability.yaml`, which goes on top of `halles.yaml`. */
export function observabilityFile(instances: readonly Instance[]): string {
  const watched = instances
    .filter(isWatched)
    .map(({ part }) => [part.name, { environment: { OTEL_EXPORTER_OTLP_ENDPOINT: otlp } }])
  const content = {
    services: {
      ...Object.fromEntries(watched),
      ...{ prometheus, alertmanager, 'otel-collector': collector, jaeger, grafana },
    },
    volumes: { prometheus: {}, alertmanager: {}, grafana: {} },
    secrets: { 'grafana-password': { file: './secrets/grafana-password' } },
  }
  return `${written}${toYaml(content)}`
}

/** The text of `observability/prometheus.yaml`: every instance that a name stands for is found. */
export function prometheusFile(instances: readonly Instance[], metricsPort: number): string {
  const named = (job: string, names: readonly string[], port: number) => ({
    job_name: job,
    dns_sd_configs: [{ names: [...names], type: 'A', port, refresh_interval: '15s' }],
    relabel_configs: [{ source_labels: ['__meta_dns_name'], target_label: 'service' }],
  })
  const parts = instances.filter(isWatched).map(({ part }) => part.name)
  const content = {
    global: { scrape_interval: '15s', scrape_timeout: '10s', evaluation_interval: '15s' },
    rule_files: ['/etc/prometheus/rules/*.yaml', '/etc/prometheus/rules/*.yml'],
    alerting: { alertmanagers: [{ static_configs: [{ targets: ['alertmanager:9093'] }] }] },
    scrape_configs: [
      named('halles', parts, metricsPort),
      named('haproxy', ['haproxy'], metricsPort),
      // Of the plug-in that RabbitMQ's image has switched on.
      named('rabbitmq', ['rabbitmq'], 15_692),
      named('otel-collector', ['otel-collector'], 8_888),
    ],
  }
  return `${written}${toYaml(content)}`
}
