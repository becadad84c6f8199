/** Turns the text into a script at the first sign of a person. It bears the page's nonce. */
export const startScript = `(() => {
  const { nonce } = document.currentScript
  const signs = ['pointerover', 'pointerdown', 'touchstart', 'keydown', 'focusin']
  const start = () => {
    for (const sign of signs) removeEventListener(sign, start, true)
    const script = document.createElement('script')
    script.type = 'module'
    script.nonce = nonce
    script.textContent = document.getElementById('later').textContent
    document.body.append(script)
    script.remove()
  }
  for (const sign of signs) addEventListener(sign, start, { capture: true, passive: true })
})()`
