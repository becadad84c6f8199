import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type BrokerSetting, createKeptBroker, type KeptBroker } from './kept-broker.ts'
import { answers, probeAmqp } from './probes.ts'

export const rabbitmqUser = 'halles'

/** `epmd` tells `rabbitmqctl` where the node listens; `distribution` is where it does. */
export const rabbitmqPorts = ['amqp', 'epmd', 'distribution'] as const

export type RabbitmqOptions = BrokerSetting & {
  /** The server's own script; the one in a package's PATH may change the user. */
  script: string
  password: string
  ports: Readonly<Record<(typeof rabbitmqPorts)[number], number>>
}

const nodeName = 'halles@localhost'

/** RabbitMQ on loopback, apart from any other on this machine, with a `rabbitmqctl` in its folder. */
export function createRabbitmq(options: RabbitmqOptions): KeptBroker & { url: string } {
  const { folder, script, password, ports } = options
  const url = `amqp://${rabbitmqUser}:${password}@127.0.0.1:${ports.amqp}`
  const env = environment(options)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, 'rabbitmq.conf'), settings(options), { mode: 0o600 })
  writeFileSync(join(folder, 'enabled_plugins'), '[].\n')
  writeFileSync(join(folder, 'rabbitmqctl'), control(script, env), { mode: 0o700 })
  const kept = createKeptBroker(options, {
    name: 'RabbitMQ',
    command: [script],
    helper: `epmd -address 127.0.0.1 -port ${ports.epmd}`,
    env,
    isAnswering: () => answers(probeAmqp(url)),
  })
  return { ...kept, ports: { amqp: ports.amqp }, url }
}

function settings({ password, ports }: RabbitmqOptions): string {
  return `listeners.tcp.local = 127.0.0.1:${ports.amqp}
default_user = ${rabbitmqUser}
default_pass = ${password}
# The defaults stop publishers when a small disk has less free than the memory of the machine.
disk_free_limit.absolute = 100MB
vm_memory_high_watermark.absolute = 512MB
# Quorum queues keep their log in memory up to this size; the default is 512 MB.
raft.wal_max_size_bytes = 67108864
log.console = true
log.console.level = warning
log.file = false
`
}

function environment({ folder, ports }: RabbitmqOptions): Record<string, string> {
  return {
    // The cookie that lets rabbitmqctl in lies here.
    HOME: folder,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CTL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'none.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'generated'),
    // The script becomes the server instead of waiting for it as a child.
    RUNNING_UNDER_SYSTEMD: 'true',
  }
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** A script that runs rabbitmqctl, or another of RabbitMQ's tools named by TOOL, on this node. */
function control(script: string, env: Readonly<Record<string, string>>): string {
  const exports = Object.entries(env).map(([key, value]) => `export ${key}=${quote(value)}`)
  return `#!/bin/sh
# Asks this data folder's RabbitMQ: rabbitmqctl list_queues name type messages
${exports.join('\n')}
exec ${quote(dirname(script))}/"\${TOOL:-rabbitmqctl}" "$@"
`
}
