/** A pavilion of the market in a few lines; it takes the colour of the text around it. */
export function HallIcon() {
  return (
    <svg
      viewBox="0 0 64 40"
      width="64"
      height="40"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.5"
      strokeLinejoin="round"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d="M4 38V22L32 8l28 14v16M22 13V8l10-6 10 6v5" />
      <path d="M4 22h56M12 38V29a6 6 0 0 1 12 0v9M26 38V28a6 6 0 0 1 12 0v10M40 38V29a6 6 0 0 1 12 0v9M2 38h60" />
    </svg>
  )
}
