/** The colours of style sheets that canvases draw with. */
export interface Palette {
  readonly surface: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly accent: string;
  readonly danger: string;
}

/** As the colour scheme has them now. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    surface: read("surface"),
    text: read("text"),
    muted: read("muted"),
    line: read("line"),
    accent: read("accent"),
    danger: read("danger"),
  };
}

/** Calls when the colours change under the page. */
export function onPaletteChange(listener: () => void, signal: AbortSignal): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener, { signal });
}
