import type { Access } from './access.js';
import { byId, make, setText } from './dom.js';

const TOAST_MS = 6_000;

/** What is asked before something is done. */
interface Question {
  title: string;
  text: string;
  /** On the button that does it. */
  ok: string;
}

interface Action {
  label: string;
  /** Said while it lasts. */
  progress: string;
  path: string;
  /** Said when it is done. */
  done: string;
  question?: Question;
  /** The response is a file. */
  isFile?: true;
}

/** The buttons: they send requests, ask first where something is interrupted, and say what came of it. */
export class Actions {
  readonly #access: Access;
  readonly #dialog = byId<HTMLDialogElement>('confirm');
  readonly #toast = byId('toast');
  #toastTimer: number | undefined;

  constructor(access: Access) {
    this.#access = access;
    const reload = byId<HTMLButtonElement>('reload');
    reload.addEventListener('click', () => void this.#do(reload, RELOAD));
    // An open menu closes like one of the browser.
    document.addEventListener('click', ({ target }) => closeMenus(target as Node));
    document.addEventListener('keydown', ({ key }) => {
      if (key !== 'Escape') return;
      const open = document.activeElement?.closest('details.menu[open]');
      open?.querySelector('summary')?.focus();
      closeMenus(undefined);
    });
  }

  /** The menu of a shard. */
  menu(shard: number): HTMLDetailsElement {
    const summary = make('summary', '', '···');
    summary.ariaLabel = `Actions for shard ${shard}`;
    const list = make('div');
    const menu = make('details', 'menu', summary, list);
    for (const action of shardActions(shard)) {
      const button = make('button', '', action.label);
      button.type = 'button';
      button.addEventListener('click', () => {
        menu.open = false;
        summary.focus();
        void this.#do(button, action);
      });
      list.append(button);
    }
    return menu;
  }

  async #do(button: HTMLButtonElement, action: Action): Promise<void> {
    if (action.question !== undefined && !(await this.#ask(action.question))) return;
    button.disabled = true;
    this.#say(action.progress);
    try {
      const response = await this.#access.fetch(action.path, { method: 'POST' });
      if (!response.ok) throw new Error((await response.json()).message);
      if (action.isFile === true) await save(response);
      this.#say(action.done, TOAST_MS);
    } catch (error) {
      this.#say(`That did not work: ${(error as Error).message}`, 2 * TOAST_MS);
    } finally {
      button.disabled = false;
    }
  }

  #ask({ title, text, ok }: Question): Promise<boolean> {
    setText(byId('confirm-title'), title);
    setText(byId('confirm-text'), text);
    setText(byId('confirm-ok'), ok);
    this.#dialog.returnValue = 'cancel';
    this.#dialog.showModal();
    return new Promise((resolve) => {
      this.#dialog.addEventListener('close', () => resolve(this.#dialog.returnValue === 'ok'), { once: true });
    });
  }

  /** @param ms default: until something else is said */
  #say(text: string, ms?: number): void {
    clearTimeout(this.#toastTimer);
    this.#toast.hidden = false;
    setText(this.#toast, text);
    if (ms !== undefined)
      this.#toastTimer = setTimeout(() => {
        this.#toast.hidden = true;
      }, ms);
  }
}

const RELOAD: Action = {
  label: 'Reload the app',
  progress: 'Loading the app again…',
  path: 'reload',
  done: 'New requests go to the new code.',
  question: {
    title: 'Reload the app?',
    text: 'Its module is loaded again on new shards, which get all new requests. No request fails, but streams and WebSockets are told to end.',
    ok: 'Reload',
  },
};

function shardActions(shard: number): Action[] {
  const path = `shards/${shard}`;
  return [
    {
      label: 'Restart…',
      progress: `Replacing shard ${shard}…`,
      path: `${path}/restart`,
      done: `Shard ${shard} is replaced.`,
      question: {
        title: `Restart shard ${shard}?`,
        text: 'Another shard starts beside it and gets its requests. No request fails, but its streams and WebSockets are told to end, and what it keeps in memory is lost.',
        ok: 'Restart',
      },
    },
    {
      label: 'CPU profile, 5 s',
      progress: `Recording shard ${shard} for 5 s…`,
      path: `${path}/cpu-profile`,
      done: 'The profile is saved. DevTools opens it under Performance.',
      isFile: true,
    },
    {
      label: 'Heap snapshot…',
      progress: `Taking a snapshot of shard ${shard}…`,
      path: `${path}/heap-snapshot`,
      done: 'The snapshot is saved. DevTools opens it under Memory.',
      isFile: true,
      question: {
        title: `Take a heap snapshot of shard ${shard}?`,
        text: 'The shard is blocked meanwhile: a second or more for each 100 MiB of its heap. Its requests wait or go to other shards.',
        ok: 'Take the snapshot',
      },
    },
  ];
}

function closeMenus(except: Node | undefined): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>('details.menu[open]')) {
    if (except === undefined || !menu.contains(except)) menu.open = false;
  }
}

/** Saves the response under the name that it has. */
async function save(response: Response): Promise<void> {
  const [, name] = /filename="(.*)"/.exec(response.headers.get('content-disposition') ?? '') ?? [];
  const url = URL.createObjectURL(await response.blob());
  const link = make('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
