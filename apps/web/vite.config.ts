import { reactRouter } from '@react-router/dev/vite'
import { defineConfig } from 'vite'

export default defineConfig(({ command }) => ({
  plugins: [reactRouter()],
  build: {
    // What browsers of the last two years know; no code for older ones.
    target: ['chrome123', 'firefox121', 'safari17.5'],
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    emptyOutDir: true,
    // scripts/sizes.ts reads it.
    manifest: true,
  },
  // Built, the server's part is one file: nothing is looked up at run time.
  ssr: command === 'build' ? { noExternal: true } : {},
}))
