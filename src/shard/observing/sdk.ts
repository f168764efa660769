/** Where the API of OpenTelemetry keeps what an SDK has registered. All its versions 1.x share it. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/** Whether the app, or a module that was imported before it, has registered an SDK of OpenTelemetry with a tracer. */
export function hasSdk(): boolean {
  const registered = (globalThis as { [REGISTERED]?: { trace?: unknown } })[REGISTERED];
  return registered?.trace !== undefined;
}
