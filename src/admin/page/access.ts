import { byId, setData, setText } from './dom.js';

const KEY = 'loopshard-admin-token';
const UNAUTHORIZED = 401;

/** Sends requests with the token, and asks for one when the admin listener demands it. */
export class Access {
  readonly #form = byId<HTMLFormElement>('access');
  readonly #field = byId<HTMLInputElement>('token');
  readonly #why = byId('access-why');
  #asking: Promise<void> | undefined;

  /** As `fetch`; resolves with a response other than 401. A request that waits for a token is not aborted by its signal. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    for (;;) {
      const token = sessionStorage.getItem(KEY);
      const headers = token === null ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(path, { ...init, headers: { ...init.headers, ...headers } });
      if (response.status !== UNAUTHORIZED) return response;
      this.#asking ??= this.#ask(token !== null);
      await this.#asking;
      if (init.signal?.aborted === true) return response;
    }
  }

  /** @param isWrong a token was sent and rejected */
  async #ask(isWrong: boolean): Promise<void> {
    if (isWrong) {
      setText(this.#why, 'The token is wrong.');
      setData(this.#why, 'tone', 'bad');
    }
    this.#form.hidden = false;
    this.#field.focus();
    await new Promise<void>((resolve) => {
      this.#form.onsubmit = (event) => {
        event.preventDefault();
        // Characters that no header can have are no part of a token either.
        sessionStorage.setItem(KEY, this.#field.value.replaceAll(/[^\x21-\x7e]/g, ''));
        resolve();
      };
    });
    this.#field.value = '';
    this.#form.hidden = true;
    this.#asking = undefined;
  }
}
