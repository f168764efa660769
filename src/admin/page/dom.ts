/** The element with this id, which the page has. */
export function byId<Of extends HTMLElement>(id: string): Of {
  return document.getElementById(id) as Of;
}

/** Creates an element. @param className empty for none */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (className !== '') element.className = className;
  element.append(...children);
  return element;
}

/** Changes the text only if it differs, so that nothing is laid out again and screen readers keep their place. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setData(element: HTMLElement, name: string, value: string): void {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Shows Markdown that has nothing but code. */
export function setCode(element: Element, text: string): void {
  if (element.getAttribute('data-source') === text) return;
  element.setAttribute('data-source', text);
  element.replaceChildren(...text.split('`').map((part, i) => (i % 2 === 1 ? make('code', '', part) : part)));
}

/** A bar that shows a share. */
export class Bar {
  readonly element = make('div', 'bar');
  readonly #fill = make('div');
  #shown = 0;

  constructor() {
    this.element.ariaHidden = 'true';
    this.element.append(this.#fill);
  }

  /** @param share 0 to 1 */
  set share(share: number) {
    const percent = Math.round(Math.min(1, Math.max(0, share)) * 1_000) / 10;
    if (percent === this.#shown) return;
    this.#shown = percent;
    this.#fill.style.width = `${percent}%`;
  }
}
