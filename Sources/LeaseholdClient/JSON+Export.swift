/// Answers are ``JSON``, so whoever uses the client has its members without another import.
@_exported public import JSONText
