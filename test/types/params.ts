/* Parameters of requests follow from the pattern. Checked by `npm run typecheck`; never run. */
import { expectTypeOf } from 'expect-type';
import { type App, createApp, type RequestOf } from 'loopshard';

const app = createApp();

app.get('/users/:id/posts/:post', (req) => {
  expectTypeOf(req.params).toEqualTypeOf<{ readonly id: string; readonly post: string }>();
  // @ts-expect-error: a name that the pattern does not have
  return req.params.idd;
});
app.get('/plain', (req) => {
  // @ts-expect-error: no parameters
  return req.params.id;
});
app.get('/files/*', (req) => {
  expectTypeOf(req.params['*']).toEqualTypeOf<string>();
});
app.get('/optional/:id?', (req) => {
  expectTypeOf(req.params.id).toEqualTypeOf<string | undefined>();
});
app.get('/:year(^\\d{4}$)/:month(^\\d\\d$)', (req) => {
  expectTypeOf(req.params).toEqualTypeOf<{ readonly year: string; readonly month: string }>();
});
app.get('/:lat-:lon/:name.:extension', (req) => {
  expectTypeOf(req.params).toEqualTypeOf<{
    readonly lat: string;
    readonly lon: string;
    readonly name: string;
    readonly extension: string;
  }>();
});
app.get('/time/12::30/:zone', (req) => {
  expectTypeOf(req.params).toEqualTypeOf<{ readonly zone: string }>();
});
for (const method of ['get', 'post', 'put', 'patch', 'delete', 'options', 'all'] as const) {
  app[method]('/:id', (req) => {
    expectTypeOf(req.params.id).toEqualTypeOf<string>();
    // @ts-expect-error: parameters are read-only
    req.params.id = 'x';
  });
}

const pattern: string = '/:anything';
app.get(pattern, (req) => {
  expectTypeOf(req.params.anything).toEqualTypeOf<string | undefined>();
});

// Scopes give the parameters of their prefixes.
app.scope('/:tenant', (tenant) => {
  tenant.get('/users/:id', (req) => {
    expectTypeOf(req.params).toEqualTypeOf<{ readonly tenant: string; readonly id: string }>();
    // @ts-expect-error: a name that neither pattern has
    return req.params.tenat;
  });
  tenant.scope('/:region', { group: 'cpu' }, (region) => {
    region.get('/', (req) => {
      expectTypeOf(req.params).toEqualTypeOf<{ readonly tenant: string; readonly region: string }>();
    });
  });
});
function routes(scope: App): void {
  scope.get('/:id', (req) => req.params.id);
}
app.scope('/a', routes).scope('/:tenant', { maxBodyBytes: 1 }, routes).mount('/b', createApp());
// @ts-expect-error: a scope accepts only options that all routes may have
app.scope('/a', { response: {} }, routes);

expectTypeOf<RequestOf<'/:a/:b?/*'>['params']>().toEqualTypeOf<{
  readonly a: string;
  readonly '*': string;
  readonly b?: string;
}>();
