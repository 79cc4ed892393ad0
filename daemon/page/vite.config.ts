// Builds the page into three files of fixed names, which conceptd carries.
import { defineConfig } from "vite";

const daemon = process.env.CONCEPTD_URL ?? "http://127.0.0.1:7470";
const token = process.env.CONCEPTD_TOKEN;

export default defineConfig({
    base: "/page/",
    // What `npm run dev` shows asks a running daemon: CONCEPTD_URL and CONCEPTD_TOKEN say which.
    server: {
        proxy: {
            "/v1": {
                target: daemon,
                changeOrigin: true,
                headers: token ? { authorization: `Bearer ${token}`, origin: daemon } : { origin: daemon },
            },
        },
    },
    build: {
        outDir: process.env.CONCEPTD_PAGE_OUT ?? "dist",
        emptyOutDir: true,
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rolldownOptions: {
            output: {
                entryFileNames: "page.js",
                chunkFileNames: "page-[name].js",
                assetFileNames: "page[extname]",
            },
        },
    },
});
