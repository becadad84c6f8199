import type { Config } from '@react-router/dev/config'

export default {
  appDirectory: 'src',
  // scripts/build.ts builds beside what is in use and puts it in its place when it is whole.
  buildDirectory: process.env.WEB_BUILD_DIRECTORY ?? '../../dist/apps/web/build',
  ssr: true,
} satisfies Config
