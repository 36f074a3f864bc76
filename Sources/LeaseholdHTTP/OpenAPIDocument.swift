/// The contract, as the repository has it: SwiftPM puts the file's bytes into the program.
enum OpenAPIDocument {
  static var bytes: [UInt8] { PackageResources.openapi_yaml }
}
