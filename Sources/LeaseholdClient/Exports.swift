/// Answers are ``JSON``, and addresses and answers are those of ``HTTPExchange``, so users of the client have their
/// members without another import.
@_exported public import HTTPExchange
@_exported public import JSONText
