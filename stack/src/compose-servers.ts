import { brokers, databaseFile, references } from './compose-secrets.ts'
import { databasePlans } from './topology.ts'
import type { Yaml } from './yaml.ts'

/** A container, and the files in `secrets/` that it can read. */
export type Service = { readonly [key: string]: Yaml } & { readonly secrets?: readonly string[] }

type HaproxyPorts = { ports: { http: number; metrics: number }; httpsPort: number }

/** For what writes nothing and asks the kernel for nothing special. */
export const confined = {
  read_only: true,
  cap_drop: ['ALL'],
  security_opt: ['no-new-privileges:true'],
  pids_limit: 200,
}

/** HAProxy, whose configuration is `../haproxy/haproxy.cfg`. */
export function haproxy({ ports, httpsPort }: HaproxyPorts): Service {
  const probe = `exec 3<>/dev/tcp/127.0.0.1/${ports.metrics} && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q deployed <&3`
  return {
    image: 'haproxy:2.8.15-bookworm',
    environment: {
      CERTIFICATE: `\${CERTIFICATE:+/certificate.pem}`,
      PROXY_NETWORKS: `\${PROXY_NETWORKS:-}`,
    },
    ports: [`\${HALLES_PORT:-8080}:${ports.http}`, `\${HALLES_HTTPS_PORT:-8443}:${httpsPort}`],
    expose: [String(ports.metrics)],
    volumes: [
      '../haproxy:/usr/local/etc/haproxy:ro',
      `\${CERTIFICATE:-/dev/null}:/certificate.pem:ro`,
    ],
    depends_on: { gateway: { condition: 'service_healthy' } },
    healthcheck: {
      test: ['CMD', 'bash', '-c', probe],
      interval: '10s',
      timeout: '5s',
      retries: 6,
    },
    stop_grace_period: '20s',
    restart: 'unless-stopped',
    ...confined,
    tmpfs: ['/tmp'],
    mem_limit: '512m',
    cpus: 1,
  }
}

/** PostgreSQL, where each service has a database of its own. */
export function postgres(): Service {
  const plans = databasePlans(references, brokers)
  return {
    image: 'postgres:18.1-bookworm',
    command: [
      ...['postgres', '-c', 'max_connections=300'],
      ...['-c', 'shared_preload_libraries=pg_stat_statements'],
    ],
    environment: {
      POSTGRES_USER: 'halles',
      POSTGRES_PASSWORD_FILE: '/run/secrets/postgres-password',
      DATABASES: plans.map(({ database, role }) => `${database}:${role}`).join(' '),
    },
    // The passwords of the roles are in the addresses that the services have.
    secrets: ['postgres-password', ...plans.map(({ role }) => databaseFile(role))],
    volumes: [
      'postgres:/var/lib/postgresql',
      './postgres-init.sh:/docker-entrypoint-initdb.d/10-halles.sh:ro',
    ],
    healthcheck: {
      // Over TCP: while the databases are being created the server has a Unix socket only.
      test: ['CMD', 'pg_isready', '--quiet', '--host', '127.0.0.1', '--username', 'halles'],
      interval: '10s',
      timeout: '5s',
      retries: 6,
      start_period: '60s',
    },
    stop_grace_period: '30s',
    restart: 'unless-stopped',
    // Its image begins as root, gives the volume to its user and becomes that user.
    cap_drop: ['ALL'],
    cap_add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'],
    security_opt: ['no-new-privileges:true'],
    shm_size: '256m',
    pids_limit: 500,
    mem_limit: '1g',
    cpus: 2,
  }
}
