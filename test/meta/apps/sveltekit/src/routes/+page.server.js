export function load({ url, cookies, setHeaders, request }) {
  setHeaders({ 'X-Page': 'home', 'Cache-Control': 'max-age=60' });
  return { query: [...url.searchParams], cookies: cookies.getAll(), method: request.method };
}
