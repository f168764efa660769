/* An SDK whose spans end nowhere: `?sampler=on` records all requests, `?sampler=off` none. */
import { AlwaysOffSampler, AlwaysOnSampler, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const isOn = new URL(import.meta.url).searchParams.get('sampler') === 'on';

/** @type {import('@opentelemetry/sdk-trace-node').SpanProcessor} */
const nowhere = {
  onStart() {},
  onEnd() {},
  async forceFlush() {},
  async shutdown() {},
};
new NodeTracerProvider({
  sampler: isOn ? new AlwaysOnSampler() : new AlwaysOffSampler(),
  spanProcessors: [nowhere],
}).register();
