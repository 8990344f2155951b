# Method copy: errors in mid stream, cancels, a source that stalls, is lost, or breaks the protocol of COPY; and what they leave.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
on_both('CREATE TABLE countries (id int, name text)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO countries SELECT g, 'country ' || g FROM generate_series(1, 7) AS g]);

sub copy_call { my ($query, $day, %argument) = @_; return copy_sql($query, $day, method => "'copy'", %argument); }

$destination->safe_psql('postgres', 'CREATE TABLE big (id int, name text)');
my $error = fails_with($destination, copy_call('SELECT g AS id, (1000 / (50000 - g))::text AS name FROM generate_series(1, 100000) AS g', undef, target => "'big'"),
	'22012', qr/division by zero/, 'an error of the source in mid stream');
like($error, qr/CONTEXT:.*copying the whole result into public\.big/s, 'its context');
$error = fails_with($destination, 'ALTER TABLE big ADD CHECK (id <> 7777); ' . copy_call('SELECT g AS id, g::text AS name FROM generate_series(1, 10000) AS g', undef, target => "'big'"),
	'23514', qr/violates check constraint/, 'an error of the target in mid stream');
like($error, qr/CONTEXT:  COPY big, line 7777\n.*copying the whole result into public\.big/s, 'its context');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM big'), 0, 'nothing is there');
$destination->safe_psql('postgres', 'ALTER TABLE big DROP CONSTRAINT big_id_check');
no_session_left($source, 'and nothing runs at the source');
is($destination->safe_psql('postgres', 'DO $do$ BEGIN PERFORM ' . (copy_call('SELECT 7777 AS id, 1 / 0 AS name', undef, target => "'big'") =~ s/^SELECT //r)
	. '; EXCEPTION WHEN division_by_zero THEN NULL; END $do$;' . copy_call('TABLE countries', undef, target => "'big'")), 7, 'an error that is caught, and a run after it');

# In FROM, all numbers would be made before the first is sent.
my $endless = copy_call(q(SELECT generate_series(1, 1000000000) AS id, 'x' AS name), undef, target => "'big'");
my ($watch) = open_session($destination);
for my $end ([ 'cancel', '57014' ], [ 'terminate', '57P01' ])
{
	my ($action, $sqlstate) = @$end;
	my ($session, $pid) = open_session($destination);
	start_call($session, $endless);
	ok(poll_session($watch, "SELECT count(*) FROM pg_stat_progress_copy WHERE pid = $pid AND type = 'CALLBACK' AND command = 'COPY FROM' AND tuples_processed > 1000", 1),
		"$action: pg_stat_progress_copy shows the run");
	$watch->query_safe("SELECT pg_${action}_backend($pid)");
	is((end_of_call($session))[0], $sqlstate, "$action: SQLSTATE");
	no_session_left($source, "$action: nothing is left at the source");
	if ($action eq 'cancel') { is($session->query_safe(copy_call('TABLE countries', undef, target => "'countries'")), 7, 'the session copies again'); $session->quit; }
}
my ($stalled, $stalled_pid) = open_session($destination);
start_call($stalled, copy_call(q(SELECT g AS id, CASE WHEN g > 5000 THEN pg_sleep(600)::text END AS name FROM generate_series(1, 6000) AS g), undef, target => "'big'"));
ok(poll_session($watch, "SELECT count(*) FROM pg_stat_activity WHERE pid = $stalled_pid AND wait_event_type = 'Extension'", 1), 'a source that stalls in the middle');
$watch->query_safe("SELECT pg_cancel_backend($stalled_pid)");
is((end_of_call($stalled))[0], '57014', 'is left at once');
start_call($stalled, $endless);
ok(wait_until($source, "SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'etl_reader' AND query ~ '^COPY'"), 'a source that is lost');
$source->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'etl_reader'");
like((end_of_call($stalled))[0], qr/^(57P01|08006)$/, 'is an error');
is($watch->query_safe('SELECT count(*) FROM big WHERE id > 7'), 0, 'nothing is there');
$_->quit for $stalled, $watch;

# --- a hostile source; 076 has what breaks the protocol in binary format

sub data { my ($count, @pieces) = @_; return { copy => sub { my @kept = grep { !/^[dcC]/ } @_; my $ready = pop @kept;
	return (@kept, (map { copy_data($_) } @pieces), message('c'), complete("COPY $count"), $ready) } }; }
# as_hostile(statements before the call, name => [ scenario, SQLSTATE, message ], ...): copies into an empty table.
sub as_hostile
{
	my ($before, %case) = @_;
	my $hostile = start_hostile_source(map { $_ => $case{$_}[0] } keys %case);
	for my $name (sort keys %case)
	{
		my (undef, $sqlstate, $message) = @{ $case{$name} };
		my $call = copy_call('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$@{[ $hostile->conninfo($name) ]}\$c\$", target => "'rows'");
		my (undef, $out, $err) = $destination->psql('postgres', "TRUNCATE rows; $before $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		my ($state) = $err =~ /ERROR:  (\w{5})/;
		my $left = $destination->safe_psql('postgres', 'SELECT count(*) > 0 FROM rows');
		ok(($state // '00000') =~ /^($sqlstate)$/ && "$out$err" =~ $message && $left eq ($sqlstate eq '00000' ? 't' : 'f'), "hostile: $name")
		  or diag("wanted $sqlstate $message, rows: $left, got $out$err");
	}
	ok($hostile->is_left_alone, 'no connection is left open');
	return;
}
$destination->safe_psql('postgres', 'CREATE TABLE rows (id int, note text)');

# Unusual, and right.
my $row = pack 'n NN N a5 n', 2, 4, 1, 5, 'row 1', 65535;
as_hostile('',
	good => [ {}, '00000', qr/^12$/m ],
	'bytes one by one' => [ data(1, split //, "PGCOPY\n\377\r\n\0" . pack('NN', 0, 0) . $row), '00000', qr/^1$/m ],
	'a header with an extension' => [ data(1, "PGCOPY\n\377\r\n\0" . pack('NN', 0, 3) . 'abc', $row), '00000', qr/^1$/m ],
	'notices in mid stream' => [ { copy => insert_after('d', notice(), notify('x')) }, '00000', qr/^12$/m ]);

# In text format.
sub text { my ($count, $text) = @_; my $make = data($count, $text)->{copy};
	return { copy => sub { return map { /^H/ ? message('H', pack 'C n nn', 0, 2, 0, 0) : $_ } $make->(@_) } } }
as_hostile("SET client_encoding = 'LATIN1';",
	'text' => [ text(2, "1\ta\n2\tb\n"), '00000', qr/^2$/m ],
	'text: no line end' => [ text(1, "1\ta\n2\tb"), '08P01', qr/without its end/ ],
	'text: rows after the end' => [ text(3, "1\ta\n\\.\n2\tb\n"), '08P01|22P04', qr/after its end|corrupt/ ],
	'text: more rows announced' => [ text(3, "1\ta\n2\tb\n"), '08P01', qr/2 rows received, COPY 3 announced/ ],
	'text: too few fields' => [ text(1, "1\n"), '22P04', qr/missing data/ ],
	'text: not UTF-8' => [ text(1, "1\t\xff\xfe\n"), '22021', qr/invalid byte sequence/ ]);

no_session_left($source, 'no session is left at the source');
done_testing();
