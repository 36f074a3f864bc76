<?php
// Runs pieces of PHP, one a line in base64, and answers each with one line of JSON.
$warnings = [];
set_error_handler(function ($number, $text) {
    global $warnings;
    $warnings[] = $text;
    return true;
});
while (($line = fgets(STDIN)) !== false) {
    $warnings = [];
    $value = '';
    $error = null;
    try {
        $value = (string)eval(base64_decode($line));
    } catch (Throwable $thrown) {
        $error = get_class($thrown) . ': ' . $thrown->getMessage();
    }
    echo json_encode(['value' => base64_encode($value), 'warnings' => $warnings, 'error' => $error],
        JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
