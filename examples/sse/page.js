/** Page that shows the events of /events. */
export const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Server-Sent Events</title>
<h1>Server-Sent Events</h1>
<p>The connection is <b id="state">closed</b>.</p>
<p><button id="stop">Stop</button></p>
<ol id="events"></ol>
<script type="module">
  const show = (text) => {
    const item = document.createElement('li');
    item.textContent = text;
    document.getElementById('events').append(item);
  };
  const state = document.getElementById('state');
  const source = new EventSource('/events' + location.search);
  const stop = () => {
    source.close();
    state.textContent = 'closed';
  };
  source.addEventListener('open', () => (state.textContent = 'open'));
  source.addEventListener('error', () => (state.textContent = 'broken; the browser connects again'));
  source.addEventListener('message', ({ data }) => show(JSON.parse(data).number));
  source.addEventListener('done', ({ data }) => {
    show(data);
    stop();
  });
  document.getElementById('stop').addEventListener('click', stop);
</script>
</html>
`;
