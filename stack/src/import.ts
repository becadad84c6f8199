// npm run import: the command of the same name.
process.argv.splice(2, 0, 'import')
await import('./cli/main.ts')
