export const openApiDocument = (_: object): object => ({})
