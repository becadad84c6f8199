/** The ports that every container of a kind listens on. */
export const chartPorts = { http: 8080, grpc: 9090, metrics: 9100 } as const
