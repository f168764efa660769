// Nuxt 4 would expect pages in app/.
export default defineNuxtConfig({ telemetry: false, compatibilityDate: '2026-01-01', srcDir: '.' });
