/** Elements from plain words. Text is always a text node: names from files cannot become markup. */

type Attributes = Readonly<Record<string, string>>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function button(label: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = el('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', onClick);
  return made;
}

let counted = 0;

/** A control under its name. */
export function labelled(name: string, control: HTMLElement): HTMLElement {
  control.id ||= `control-${counted++}`;
  return el('div', { class: 'control' }, el('label', { for: control.id }, name), control);
}

/** @param choices - values and what they are called */
export function select(
  choices: readonly (readonly [value: string, label: string])[],
  value: string,
  onChange: (value: string) => void,
): HTMLSelectElement {
  const made = el('select');
  for (const [key, label] of choices) made.append(el('option', { value: key }, label));
  made.value = value;
  made.addEventListener('change', () => onChange(made.value));
  return made;
}

export function search(onInput: (text: string) => void): HTMLInputElement {
  const made = el('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
  made.addEventListener('input', () => onInput(made.value));
  return made;
}

/** Runs once a frame, whatever often it is asked for. */
export function oncePerFrame(run: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      run();
    });
  };
}
