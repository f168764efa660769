// The client opens the gate when it has received the first part.
export function load({ url, fetch }) {
  return { late: fetch(url.searchParams.get('gate')).then((response) => response.text()) };
}
