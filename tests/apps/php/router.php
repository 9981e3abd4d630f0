<?php
// The contract, for PHP's built-in server (`php -S HOST:PORT router.php`), which closes every connection after its answer.
function who(): string
{
    return 'pid=' . getmypid() . ' id=' . getenv('PROCESS_LOGICAL_ID') . "\n";
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$status = 200;
switch ($_SERVER['REQUEST_METHOD'] . ' ' . $path) {
    case 'GET /':
        $body = who();
        break;
    case 'GET /slow':
        usleep(1000 * (int) $_GET['ms']);
        $body = who();
        break;
    case 'GET /spin':
        fwrite(fopen('php://stdout', 'w'), "spinning\n");
        $end = hrtime(true) + 1000000 * (int) $_GET['ms'];
        while (hrtime(true) < $end);
        $body = who();
        break;
    case 'GET /exit':
        // exit() ends the request only.
        posix_kill(getmypid(), SIGKILL);
    case 'POST /echo':
        $body = file_get_contents('php://input');
        break;
    default:
        $status = 404;
        $body = "no such page\n";
}
http_response_code($status);
header('Content-Type: text/plain');
header('Content-Length: ' . strlen($body));
echo $body;
