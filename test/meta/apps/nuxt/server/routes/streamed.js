// Nuxt sends pages whole. The client opens the gate when it has received the first part.
export default defineEventHandler((event) => {
  const { gate } = getQuery(event);
  setHeader(event, 'content-type', 'text/html; charset=utf-8');
  async function* parts() {
    yield '<p>Pending</p>';
    const response = await fetch(gate);
    yield `<p>${await response.text()}</p>`;
  }
  return sendIterable(event, parts());
});
