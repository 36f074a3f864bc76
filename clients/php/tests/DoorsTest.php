<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\Exception\{Denied, Unavailable};
use Leasehold\{Client, Keep};
use PHPUnit\Framework\TestCase;

/** TLS and tokens. */
final class DoorsTest extends TestCase
{
    private static string $folder;
    private static string $token;
    private static Daemon $daemon;

    public static function setUpBeforeClass(): void
    {
        self::$folder = sys_get_temp_dir() . '/leasehold-php-doors-' . getmypid();
        mkdir(self::$folder, 0700);
        self::output('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
            '-keyout', self::file('key'), '-out', self::file('certificate'), '-days', '2', '-subj', '/CN=localhost',
            '-addext', 'subjectAltName=DNS:localhost');
        [self::$token, $line] = explode("\n", self::output(Daemon::program(), 'token', 'php', '--role', 'lock'));
        file_put_contents(self::file('tokens'), "$line\n");
        chmod(self::file('tokens'), 0600);
        self::$daemon = new Daemon(['--recovery-grace', '20s', '--tls-cert', self::file('certificate'), '--tls-key', self::file('key'),
            '--token-file', self::file('tokens')]);
    }

    public static function tearDownAfterClass(): void
    {
        self::$daemon->stop();
        array_map(unlink(...), glob(self::$folder . '/*'));
        rmdir(self::$folder);
    }

    protected function setUp(): void
    {
        putenv('LEASEHOLD_CACERT=' . self::file('certificate'));
    }

    protected function tearDown(): void
    {
        putenv('LEASEHOLD_CACERT');
    }

    private static function file(string $name): string
    {
        return self::$folder . "/$name";
    }

    private static function output(string ...$command): string
    {
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
        $text = stream_get_contents($pipes[1]);
        return proc_close($process) === 0 ? $text : throw new \RuntimeException("$command[0] failed");
    }

    private function client(string $host = 'localhost', ?string $token = null, float $timeout = 2): Client
    {
        return new Client("https://$host:" . self::$daemon->port, $token ?? self::$token, $timeout);
    }

    public function testAStreamOverTlsLivesAndEnds(): void
    {
        $lease = $this->client()->acquire('tls', wait: 1);
        $this->assertSame(Keep::Stream, $lease->keep);
        usleep(300000);
        $lease->check();
        $this->assertTrue($lease->isHeld());
        self::$daemon->restart();
        $lease->check();
        $this->assertNull($lease->remaining());
        $this->assertTrue($lease->release());
        $again = $this->client()->acquire('tls', wait: 5, ttl: 5);
        $this->assertTrue($again->release());
    }

    public function testTheCertificateAndItsNameAreChecked(): void
    {
        foreach ([['127.0.0.1', self::file('certificate')], ['localhost', '']] as [$host, $authorities]) {
            putenv("LEASEHOLD_CACERT=$authorities");
            $begun = hrtime(true);
            try {
                $this->client($host)->acquire('tls', wait: 0);
                $this->fail("$host with '$authorities'");
            } catch (Unavailable $error) {
                $this->assertStringContainsString('certificate', $error->getMessage());
                $this->assertSame('insecure', $error->problem);
                $this->assertFalse($error->mayHaveArrived);
                $this->assertLessThan(1, (hrtime(true) - $begun) / 1e9, 'it is not tried again');
            }
        }
    }

    public function testATokenThatIsNoneIsDeniedAndShownNowhere(): void
    {
        $client = $this->client(token: 'wrong');
        try {
            $client->acquire('tls', wait: 0);
            $this->fail('it was taken');
        } catch (Denied $error) {
            $this->assertSame('unauthenticated', $error->problem);
        }
        $this->assertStringNotContainsString('wrong', print_r($client, true));
    }

    public function testWhatDoesNotSpeakTlsIsWaitedForNoLongerThanTheTimeout(): void
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $name = stream_socket_get_name($server, false);
        $begun = hrtime(true);
        try {
            (new Client("https://$name", timeout: 0.4))->acquire('tls', wait: 0);
            $this->fail('it was taken');
        } catch (Unavailable) {
            $this->assertLessThan(1.2, (hrtime(true) - $begun) / 1e9);
        }
    }

    public function testWhatDoesNotSpeakHttp(): void
    {
        $answers = ['hello' => 'speak HTTP', "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" => 'too long',
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" => 'no length',
            "HTTP/1.1 200 OK\r\nX: %" => 'too long',
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" => 'no lease'];
        foreach ($answers as $answer => $why) {
            $socket = self::file('socket');
            $server = new Program([PHP_BINARY, '-r', '
                $s = stream_socket_server($argv[1]);
                while ($c = stream_socket_accept($s)) {
                    fread($c, 9999); fwrite($c, strtr($argv[2], ["%" => str_repeat("y", 200000)]));
                    stream_socket_shutdown($c, STREAM_SHUT_WR); $keep[] = $c;
                }',
                "unix://$socket", "$answer\r\n\r\n"]);
            eventually(static fn (): bool => file_exists($socket), 'it listens');
            try {
                (new Client("unix:$socket", timeout: 5))->acquire('k', wait: 0, ttl: 1);
                $this->fail('it was taken');
            } catch (Unavailable $error) {
                $this->assertStringContainsString($why, $error->getMessage());
            }
            $server->kill();
            unlink($socket);
        }
    }

    public function testAnswersInChunksAndToTheEnd(): void
    {
        $id = str_repeat('0123456789abcdef', 2);
        $body = json_encode(['lease' => $id, 'key' => 'k', 'fence' => 7, 'ttl_ms' => 1000]);
        [$first, $second] = [substr($body, 0, 50), substr($body, 50)];
        $chunks = sprintf("32\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nT: x\r\n\r\n", $first, strlen($second), $second);
        foreach (["Transfer-Encoding: chunked\r\n\r\n$chunks", "Connection: close\r\n\r\n$body"] as $rest) {
            $socket = self::file('socket');
            $server = new Program([PHP_BINARY, '-r', '
                $s = stream_socket_server($argv[1]);
                while ($c = stream_socket_accept($s)) {
                    fread($c, 9999);
                    foreach (str_split($argv[2], 7) as $bytes) { fwrite($c, $bytes); usleep(100); }
                    fclose($c);
                }',
                "unix://$socket", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n$rest"]);
            eventually(static fn (): bool => file_exists($socket), 'it listens');
            $lease = (new Client("unix:$socket", timeout: 1))->acquire('k', wait: 0, ttl: 1);
            $this->assertSame(7, $lease->fence);
            $this->assertGreaterThan(0, $lease->remaining());
            $server->kill();
            unlink($socket);
        }
    }
}
