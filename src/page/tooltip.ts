/** A small panel beside the pointer. What it says is text. */
import { el } from './dom.js';

const panel = el('div', { class: 'tip', hidden: '', 'aria-hidden': 'true' });

/** @param x, y - of the viewport */
export function showTip(x: number, y: number, title: readonly string[], lines: readonly string[]): void {
  if (!panel.isConnected) document.body.append(panel);
  panel.replaceChildren(
    ...title.map((text) => el('strong', {}, text)),
    ...lines.map((text) => el('span', {}, text)),
  );
  panel.hidden = false;
  const { width, height } = panel.getBoundingClientRect();
  const left = x + 16 + width > document.documentElement.clientWidth ? x - 16 - width : x + 16;
  const top = y + 16 + height > document.documentElement.clientHeight ? y - 16 - height : y + 16;
  panel.style.left = `${Math.max(4, left)}px`;
  panel.style.top = `${Math.max(4, top)}px`;
}

export function hideTip(): void {
  panel.hidden = true;
}
