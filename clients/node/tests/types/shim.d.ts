// For compilers before 5.2, which do not know these.
interface SymbolConstructor { readonly asyncDispose: unique symbol }
interface AsyncDisposable { [Symbol.asyncDispose](): PromiseLike<void> }
