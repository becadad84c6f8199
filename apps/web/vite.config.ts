import { reactRouter } from '@react-router/dev/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [reactRouter()],
  build: {
    // What browsers of the last two years know; no code for older ones.
    target: ['chrome123', 'firefox121', 'safari17.5'],
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    emptyOutDir: true,
    // scripts/sizes.ts reads it.
    manifest: true,
  },
  // The server's part is one file beside the bundle of main.ts: nothing is looked up at run time.
  ssr: { noExternal: true },
})
