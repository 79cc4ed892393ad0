// Lists of the daemon that come in pages, whole.

/** As many as it gives at once. */
export const PAGE = 200;

/** All items of a list. */
export async function everyPage<T>(page: (after: string | undefined) => Promise<{ items: T[]; next?: string | null }>): Promise<T[]> {
    const items: T[] = [];
    let after: string | undefined;
    do {
        const { items: more, next } = await page(after);
        items.push(...more);
        after = next ?? undefined;
    } while (after);
    return items;
}
