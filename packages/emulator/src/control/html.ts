/** The page's script and style, which the server puts into one document. */
export interface PageParts {
  readonly script: string
  readonly style: string
}

/**
 * Bundles the page. The build replaces this module by the finished bundle (`page/build.mjs`); only the sources, which run
 * in this repository's tests, bundle it when it is asked for.
 */
export const pageParts = async (): Promise<PageParts> => {
  const builder = new URL("../../page/build.mjs", import.meta.url).href
  const { buildPage } = await import(builder) as { readonly buildPage: () => Promise<PageParts> }
  return buildPage()
}
