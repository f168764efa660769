export default defineEventHandler((event) => sendRedirect(event, '/data', 301));
