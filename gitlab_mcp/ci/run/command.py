"""One run, from its options to its exit code."""

import io
import re
import sys
import time
import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.note_updates import NoteUpdates
from gitlab_mcp.api.project import Project
from gitlab_mcp.api.tracking_note import TrackingNote, answering_runs, handed_in
from gitlab_mcp.ci.preflight import preflight
from gitlab_mcp.ci.run import left_open, start
from gitlab_mcp.ci.run.claims import is_of_own_pipeline
from gitlab_mcp.ci.run.environment import on_branch
from gitlab_mcp.ci.run.instructions import instructions
from gitlab_mcp.ci.run.log import RunLog
from gitlab_mcp.ci.run.mention_request import StartedFor, read_mention_request, started_for
from gitlab_mcp.ci.run.options import RunOptions, job_seconds
from gitlab_mcp.ci.run.process import ClaudeProcess, NotStartable, StopSignals, stop_signals
from gitlab_mcp.ci.run.prompt import RunRequest, read_request
from gitlab_mcp.ci.run.reports import write_reports
from gitlab_mcp.ci.run.result import run_result
from gitlab_mcp.ci.run.server_files import private_folder, server_entry, write_configuration, write_private
from gitlab_mcp.ci.run.target_branch import TargetBranch
from gitlab_mcp.ci.run.watch import Followers, Watch
from gitlab_mcp.claude_code.ending import Ending
from gitlab_mcp.claude_code.events import Event, SessionEnd
from gitlab_mcp.config.environment import SettingsError, variable, working_directory
from gitlab_mcp.config.job_context import LONGEST_VARIABLE, JobContext
from gitlab_mcp.config.settings import Flags, Settings, read_settings
from gitlab_mcp.doctor.handshake import HandshakeFailed, count_tools
from gitlab_mcp.doctor.processes import NotStarted, output
from gitlab_mcp.errors import Failure, NotFound
from gitlab_mcp.render.progress import Progress
from gitlab_mcp.repository.branch_checkout import check_out
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.server.toolsets import check_names

PREPARATION_SECONDS = 60.0  # for all requests to GitLab before Claude Code is started, transfers of git not counted
SERVER_START_SECONDS = 30.0
VERSION_SECONDS = 10.0
REPORTING_SECONDS = 120.0  # of a job's timeout are kept for its end
LOG_TEXT_CHARACTERS = 1_000
CLAIMING_VARIABLES = re.compile(r"AI_FLOW_\w+|TRIGGER_PAYLOAD")
SUBJECT = re.compile(r"([#!]?)([0-9]{1,18})")
ON_SUBJECT = "Work on {} {} of this project: read it first, with its comments, then do what it asks for."


class CannotStart(Exception):
    """Claude Code is not started, for the reason in the text; `ending` says what kind of reason that is."""

    def __init__(self, text: str, ending: Ending = Ending.NOT_STARTED) -> None:
        super().__init__(text)
        self.ending = ending


def run(options: RunOptions, flags: Flags, environ: Mapping[str, str]) -> int:
    """Run Claude Code once and return the exit code.

    Raises SettingsError when the configuration cannot be used, or it is not known what the run is asked.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an encoding without the marks of the log ends no run
    environ = _with_flow_input(options.flow_input_file, environ)
    settings = read_settings(flags, environ, working_directory())
    check_names(settings)
    started = started_for(options, environ)
    if started:
        settings = replace(settings, job=started.job(settings.job))
        options = replace(options, tracking_note=started.tracking_note)
    elif options.iid:
        if not settings.project:
            raise SettingsError("--iid needs a project: run it in a clone of the project, or set GITLAB_PROJECT.")
        settings = replace(settings, job=_subject(options.iid))
        options = replace(options, prompt=options.prompt or ON_SUBJECT.format(settings.job.noun, settings.job.sign))
    call = Call(PREPARATION_SECONDS, lambda _message: None)
    current_call.set(call)
    with stop_signals(call.cancel) as signals:
        return _Run(options, flags, environ, settings, signals, started).do()


class _Run:
    """One run and its reports: the log, the note where somebody waits for an answer, and the files of the job."""

    def __init__(
        self,
        options: RunOptions,
        flags: Flags,
        environ: Mapping[str, str],
        settings: Settings,
        signals: StopSignals,
        started: StartedFor | None,
    ) -> None:
        self._options, self._flags, self._environ, self._settings = options, flags, environ, settings
        self._signals, self._started = signals, started
        self._began = time.time()
        self._name = variable(environ, "CI_JOB_ID") or uuid.uuid4().hex
        self._directory = settings.working_directory.path if settings.working_directory else working_directory()
        self._gitlab = GitLab(settings)
        self._branch = TargetBranch(settings, environ)
        self._progress = Progress(job_url(settings, environ), secrets=settings.secret_values)
        self._note: NoteUpdates | None = None
        self._remarks: deque[str] = deque()  # lines for the log, also from the thread that writes the note
        self._watch: Watch | None = None

    def do(self) -> int:
        """Do all of it, and return the exit code."""
        try:
            request = self._read_request()
        except Failure as failure:
            if self._signals.received:
                return Ending.CANCELED.exit_code
            text = redact(str(failure), self._settings.secret_values)
            _write(f"gitlab-mcp-server: {one_line(text, LOG_TEXT_CHARACTERS)}\n")
            return Ending.FAILED.exit_code
        self._confidential = request.confidential
        self._log = RunLog(
            _write,
            self._began,
            sections=self._settings.in_ci,
            colors=(self._settings.in_ci or sys.stdout.isatty()) and not self._environ.get("NO_COLOR"),
            confidential=request.confidential,
            secrets=self._settings.secret_values,
        )
        self._remarks.extend(request.remarks)
        self._options = self._options.chosen(request.chosen)
        if self._is_answered(request):
            self._tick()
            return 0
        record = left_open.record_path(self._environ)
        opened = left_open.OpenRun(self._name, self._began, request.place if self._note else None)
        if record:
            left_open.write_record(record, opened)
        try:
            if request.refusal:
                raise CannotStart(request.refusal, Ending.REFUSED)
            ending, detail = self._run_claude(request)
        except CannotStart as reason:
            ending, detail = reason.ending, str(reason)
        except (SettingsError, Failure, NotStartable) as reason:
            ending, detail = Ending.NOT_STARTED, str(reason)
        except BaseException:  # the log cannot be written, or an internal error: whoever asked hears of it too
            self._finish_note(Ending.KILLED, time.time() - self._began, None, "The run itself ended with an error.")
            raise
        finally:
            self._branch.close()
        if self._signals.received and self._watch is None:
            ending, detail = Ending.CANCELED, ""
        unwritten = self._report(ending, detail)
        if record and unwritten:  # `run --finish` tries once more
            left_open.write_record(record, replace(opened, text=unwritten))
        elif record:
            record.unlink(missing_ok=True)
        return ending.exit_code

    def _read_request(self) -> RunRequest:
        path, files = self._options.prompt_file, {}
        if path:
            files["prompt_file"] = lambda: self._prompt_file(path)
        prompt = self._options.prompt
        if self._started:
            limits = self._options.limits(self._environ)
            return read_mention_request(self._gitlab, self._environ, self._started, limits, prompt=prompt, **files)
        return read_request(self._gitlab, self._environ, note=self._options.note, prompt=prompt, **files)

    def _prompt_file(self, path: str) -> str:
        try:
            content = Path(path).read_bytes() if path.startswith("/") else self._branch.read(path)
        except OSError as error:
            raise SettingsError(f"The prompt file {path} cannot be read: {error.strerror}.") from error
        except NotFound as missing:
            raise SettingsError(
                f"The target branch has no file {path}, which the input prompt_file names."
            ) from missing
        return content.decode("utf-8", "replace")

    def _is_answered(self, request: RunRequest) -> bool:
        """Begin the note where somebody waits for an answer; whether another run has answered already."""
        if request.place is None or self._settings.read_only:
            return False
        note, answering = None, set[str]()
        if number := self._options.tracking_note:
            given = handed_in(self._gitlab, request.place, number, self._name)
            note = given.note
            answering |= {given.run} if given.ended else set()
            self._remarks.extend([given.reason] if given.reason else [])
        if self._started:
            try:
                answering |= answering_runs(self._gitlab, request.place)
            except Failure as failure:
                self._remarks.append(f"It is not known whether another run has answered already: {failure}")
        if others := [run for run in sorted(answering) if not is_of_own_pipeline(self._gitlab, self._environ, run)]:
            self._remarks.append(f"Another run (job {others[0] or 'unknown'}) has answered: there is nothing to do.")
            return True
        tracking = TrackingNote(self._gitlab, request.place, self._name, note)
        self._note = NoteUpdates(tracking, self._remarks.append)
        self._note.show(self._progress.working())
        return False

    def _run_claude(self, request: RunRequest) -> tuple[Ending, str]:
        """Start Claude Code, watch it to its end, and return how it ended, with what is known of a failure."""
        for line in preflight(self._settings, self._environ, {}):
            self._say(line)
        current_call.set(Call(PREPARATION_SECONDS, lambda _message: None))
        if request.branch and self._settings.in_ci:
            self._check_out(request)
        with private_folder(self._directory, self._environ) as folder:
            command, environ = self._prepare(request, folder)
            if self._signals.received:
                return Ending.CANCELED, ""
            prompt = request.prompt.encode("utf-8", "surrogateescape")
            process = ClaudeProcess(command, environ, self._directory, prompt)
            try:
                self._watch = Watch(
                    process, self._signals, self._deadline(), Followers(self._take, self._tick, self._warn)
                )
                self._watch.follow(self._settings.secret_values)
            finally:
                process.kill()
        return self._watch.ending, self._detail(self._watch, process, command[0])

    def _prepare(self, request: RunRequest, folder: Path) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """The command and its environment, whose files are in `folder`.

        Raises CannotStart where the project's rules cannot be fetched, or our server would have no tools.
        """
        options, in_ci = self._options, self._settings.in_ci
        program = start.program(options, self._environ)
        environ = start.environment(options, self._environ, by_people=request.by_people, in_ci=in_ci)
        if request.variables or request.context:  # what GitLab confirms is in place of what the variables claim
            environ = {name: value for name, value in environ.items() if not CLAIMING_VARIABLES.fullmatch(name)}
            environ |= {"AI_FLOW_CONTEXT": request.context} if request.context else {}
        text = instructions(self._rules(), confidential=request.confidential)
        file = write_private(folder / "instructions.md", text) if text else None
        entry = server_entry(folder, self._flags, self._environ, request.asked_at, request.variables)
        try:
            count_tools(
                [entry["command"], *entry["args"]], {**environ, **entry["env"]}, self._directory, SERVER_START_SECONDS
            )
        except HandshakeFailed as error:
            detail = (
                f"The GitLab server does not start: {error}{f' ({error.stderr_line})' if error.stderr_line else ''}."
            )
            raise CannotStart(detail, Ending.NO_TOOLS) from error
        configuration = write_configuration(folder, entry)
        return (program, *start.arguments(options, configuration, file, by_people=request.by_people)), environ

    def _check_out(self, request: RunRequest) -> None:
        """Check out the branch that the run works on. Raises CannotStart where that cannot be done."""
        project = Project(self._gitlab, next(filter(None, self._settings.own_project)))
        sign = f"!{request.merge_request}"
        try:
            commit = check_out(project, self._directory, request.branch)
        except Failure as failure:
            raise CannotStart(f"The branch of {sign} could not be checked out: {failure}") from failure
        if not commit:
            raise CannotStart(f"The branch of {sign} does not exist any more.", Ending.REFUSED)
        self._say(f"Checked out the branch of {sign} at {commit[:8]}.")
        self._environ = on_branch(self._environ, request.branch, commit)

    def _rules(self) -> bytes | None:
        if not self._settings.in_ci:
            return None  # Claude Code reads the CLAUDE.md of a person's own checkout
        try:
            return self._branch.rules()
        except Failure as failure:
            text = f"The target branch could not be fetched, so the project's CLAUDE.md is not known: {failure}"
            if not self._options.allow_missing_rules:
                more = "The job stops; with the input allow_missing_rules: true it would go on without it."
                raise CannotStart(f"{text} {more}") from failure
            self._say(text)
            return None

    def _deadline(self) -> float:
        """When Claude Code is stopped, in seconds since the epoch: by --timeout, else before the job's own timeout.

        A comment may have chosen an earlier time.
        """
        chosen = self._options.comment_timeout
        soonest = self._began + 60 * chosen if chosen else float("inf")
        if self._options.timeout is not None:
            return min(soonest, self._began + 60 * self._options.timeout)
        seconds = job_seconds(self._environ)
        if not seconds:
            return soonest
        try:
            began = datetime.fromisoformat(variable(self._environ, "CI_JOB_STARTED_AT")).timestamp()
        except ValueError:
            began = self._began
        return min(soonest, began + max(seconds - REPORTING_SECONDS, seconds / 2))

    def _detail(self, watch: Watch, process: ClaudeProcess, program: str) -> str:
        """What is known of an end for which Claude Code itself gave no reason."""
        if watch.end or watch.ending not in (Ending.NOT_STARTED, Ending.KILLED):
            return ""
        status = process.status or 0
        how = f"was ended by signal {-status}" if status < 0 else f"ended with exit code {status}"
        text = f"claude {how}{f': {watch.last_warning}' if watch.last_warning and not self._confidential else ''}"
        if watch.ending is Ending.NOT_STARTED:
            with suppress(NotStarted):
                version = output([program, "--version"], self._environ, self._directory, VERSION_SECONDS).strip()
                text += f" (its version is {version})" if version else ""
        return one_line(text, LOG_TEXT_CHARACTERS)

    def _take(self, event: Event) -> None:
        self._log.show(event, time.time())
        if self._progress.take(event) and self._note:
            self._note.show(self._progress.working())

    def _tick(self) -> None:
        while self._remarks:
            self._say(self._remarks.popleft())
        self._log.tick(time.time())

    def _warn(self, text: str) -> None:
        if not self._confidential:
            self._say(f"claude: {text}")

    def _say(self, text: str) -> None:
        self._log.say(one_line(text, LOG_TEXT_CHARACTERS), time.time())

    def _report(self, ending: Ending, detail: str) -> str:
        """Report how the run ended; returns the last text of the note if that could not be written."""
        seconds = time.time() - self._began
        end = self._watch.end if self._watch else None
        result = run_result(ending, seconds, end, self._progress, detail, secrets=self._settings.secret_values)
        if self._confidential:  # more people may see an artifact than what the run is about
            result = replace(result, denied=(), uncommitted=(), detail="")
        try:
            if self._settings.in_ci and (problem := write_reports(self._directory, result)):
                self._say(problem)
            self._log.finish(result, time.time())
        finally:
            unwritten = self._finish_note(ending, seconds, end, detail)
        self._tick()
        return unwritten

    def _finish_note(self, ending: Ending, seconds: float, end: SessionEnd | None, detail: str) -> str:
        """Have the note say how the run ended; returns its text if that could not be written."""
        text = self._progress.ended(ending, seconds, end, detail) if self._note else ""
        return "" if self._note is None or self._note.finish(text) else text


def job_url(settings: Settings, environ: Mapping[str, str]) -> str:
    """The web URL of this job, "" outside of CI. CI_JOB_URL itself may be anybody's."""
    job, path = variable(environ, "CI_JOB_ID"), next(iter(settings.own_project), "")
    plain = re.fullmatch(r"[0-9]+", job) and re.fullmatch(r"[A-Za-z0-9_./-]+/[A-Za-z0-9_./-]+", path)
    return f"{settings.url}/{path}/-/jobs/{job}" if settings.in_ci and plain else ""


def _write(text: str) -> None:
    if sys.stdout:  # None where the descriptor is closed
        sys.stdout.write(text)
        sys.stdout.flush()


def _subject(text: str) -> JobContext:
    """The issue or merge request that --iid names. Raises SettingsError where it names none."""
    match = SUBJECT.fullmatch(text)
    if not match or not int(match[2]):
        raise SettingsError(f'--iid is "{text}": write 7 for issue #7, and !7 for merge request !7.')
    return JobContext(noun="merge request" if match[1] == "!" else "issue", iid=int(match[2]))


def _with_flow_input(file: Path | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with the AI_FLOW_INPUT that was too long for it; its file is deleted.

    Raises SettingsError where it cannot be read.
    """
    if file is None:
        return environ
    try:
        with file.open("rb") as content:
            text = content.read(LONGEST_VARIABLE).decode("utf-8", "surrogateescape")
        file.unlink()
    except OSError as error:
        raise SettingsError(f"The file of --flow-input-file cannot be read: {error.strerror}.") from error
    return {**environ, "AI_FLOW_INPUT": text}
