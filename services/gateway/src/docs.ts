/** The readable face of the OpenAPI document: one page, no script, nothing from elsewhere. */

type Schema = {
  $ref?: string
  type?: string | string[]
  format?: string
  enum?: (string | null)[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  anyOf?: Schema[]
  allOf?: Schema[]
  description?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  default?: unknown
}
type Parameter = { name: string; in: string; required: boolean; schema: Schema }
type Content = Record<string, { schema: Schema }>
type Operation = {
  operationId: string
  tags: string[]
  summary: string
  description?: string
  security: Record<string, unknown>[]
  parameters: Parameter[]
  requestBody?: { content: Content }
  responses: Record<string, { description: string; content?: Content }>
}
export type OpenapiDocument = {
  info: { title: string; description: string }
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** A schema in a few words: `uuid`, `integer 1–100`, a link, `"a" | "b"`. */
function describe(schema: Schema): string {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1) as string
    return `<a href="#schema-${name}">${name}</a>`
  }
  const branches = schema.anyOf ?? schema.allOf
  if (branches) return branches.map(describe).join(' | ')
  if (schema.enum)
    return schema.enum.map((word) => `<code>${escapeHtml(String(word))}</code>`).join(' | ')
  if (schema.items) return `${describe(schema.items)}[]`
  const low = schema.minimum ?? schema.minLength
  const high = schema.maximum ?? schema.maxLength
  const range =
    low === undefined && high === undefined ? '' : ` <small>${low ?? ''}…${high ?? ''}</small>`
  const type = schema.format ?? [schema.type ?? 'any'].flat().join(' | ')
  return `${escapeHtml(type)}${range}`
}

function row(name: string, schema: Schema, isRequired: boolean, place = ''): string {
  const note = schema.description ? ` <span>${escapeHtml(schema.description)}</span>` : ''
  const initial =
    schema.default === undefined ? '' : ` <small>= ${escapeHtml(String(schema.default))}</small>`
  return `<tr><td><code>${escapeHtml(name)}</code>${isRequired ? '' : '<small> optional</small>'}</td>
    <td>${place}</td><td>${describe(schema)}${initial}${note}</td></tr>`
}

function fields(schema: Schema): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, each]) =>
    row(name, each, schema.required?.includes(name) ?? false),
  )
  return rows.length > 0 ? `<table>${rows.join('')}</table>` : `<p>${describe(schema)}</p>`
}

function whoMay({ security, description }: Operation): string {
  if (description) return escapeHtml(description).replace(/`([^`]+)`/g, '<code>$1</code>')
  if (security.length === 0) return 'Anyone.'
  return security.length > 1 ? 'Anyone; as yourself with a token.' : 'With a token.'
}

function operation(
  method: string,
  path: string,
  { op, schemas }: { op: Operation; schemas: Record<string, Schema> },
): string {
  const parameters = op.parameters.map((each) =>
    row(each.name, each.schema, each.required, each.in),
  )
  const body = Object.entries(op.requestBody?.content ?? {}).map(([type, { schema }]) => {
    const named = schemas[schema.$ref?.split('/').at(-1) ?? '']
    const shape = named ? fields(named) : ''
    return `<h4>Body <small>${type}</small></h4><p>${describe(schema)}</p>${shape}`
  })
  const answers = Object.entries(op.responses)
    .filter(([status]) => status !== 'default')
    .map(([status, { content }]) => {
      const shape = Object.values(content ?? {}).map(({ schema }) => describe(schema))
      return `<p><code>${status}</code> ${shape.join('') || 'without a body'}</p>`
    })
  return `<article id="${op.operationId}">
    <h3><b class="${method}">${method.toUpperCase()}</b> <code>${escapeHtml(path)}</code></h3>
    <p>${escapeHtml(op.summary)} <em>${whoMay(op)}</em></p>
    ${parameters.length > 0 ? `<table>${parameters.join('')}</table>` : ''}
    ${body.join('')}<h4>Answer</h4>${answers.join('')}
  </article>`
}

const style = `
:root{color-scheme:light dark;--ink:light-dark(#1c2420,#e8ece9);--soft:light-dark(#5d6a63,#9aa8a0);
--line:light-dark(#dfe5e1,#2d3833);--paper:light-dark(#fbfcfb,#141a17);--mark:light-dark(#0b6b43,#5fd3a0)}
*{box-sizing:border-box}body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);
background:var(--paper);display:grid;grid-template-columns:17rem 1fr}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.5rem;border-right:1px solid var(--line)}
nav a{display:block;font-size:.85rem;color:var(--soft);text-decoration:none;padding:.1rem 0}
nav a:hover{color:var(--mark)}nav h2{font-size:.95rem;margin:1.1rem 0 .2rem}
main{padding:2rem 3rem;max-width:60rem}a{color:var(--mark)}h1{margin-top:0}
article,section{border-top:1px solid var(--line);padding:1rem 0}h3 code{font-size:1rem}
h3 b{font-size:.75rem;padding:.15rem .5rem;border-radius:.3rem;color:#fff;background:#456}
b.get{background:#0b6b43}b.post{background:#1f5fae}b.put,b.patch{background:#8a5a00}b.delete{background:#a12b2b}
h4{margin:.8rem 0 .2rem;font-size:.85rem;color:var(--soft)}table{border-collapse:collapse;width:100%}
td{border-top:1px solid var(--line);padding:.25rem .6rem .25rem 0;vertical-align:top;font-size:.9rem}
small,em,td span{color:var(--soft)}code{font-family:ui-monospace,monospace;font-size:.88em}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto}main{padding:1rem}}`

/** Renders the document as a page for people. */
export function renderDocs(document: OpenapiDocument): string {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, op]) => ({ method, path, op })),
  )
  const groups = document.tags.map(({ name }) => ({
    name,
    routes: all.filter(({ op }) => op.tags.includes(name)),
  }))
  const links = groups.map(
    ({ name, routes }) =>
      `<h2>${name}</h2>${routes.map(({ op }) => `<a href="#${op.operationId}">${op.operationId}</a>`).join('')}`,
  )
  const shapes = document.components.schemas
  const articles = groups.map(
    ({ name, routes }) =>
      `<h2>${name}</h2>${routes.map(({ method, path, op }) => operation(method, path, { op, schemas: shapes })).join('')}`,
  )
  const schemas = Object.entries(shapes).map(
    ([name, schema]) => `<section id="schema-${name}"><h3>${name}</h3>${fields(schema)}</section>`,
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>${document.info.title} API</title>
<style>${style}</style></head><body><nav aria-label="Operations"><strong>${document.info.title}</strong>
${links.join('')}</nav><main><h1>${document.info.title} API</h1><p>${escapeHtml(document.info.description)}
The same as data: <a href="/openapi.json">openapi.json</a>; the messages between services:
<a href="/asyncapi.json">asyncapi.json</a>.</p>${articles.join('')}
<h2>Shapes</h2>${schemas.join('')}</main></body></html>`
}
