// Ordinary work with @gitbeaker/rest: node gitbeaker.mjs URL TOKEN PROJECT, with NODE_PATH naming the installed packages.
// It prints a line for each step that fails, and ends with 1 if there was one.
import { createRequire } from "node:module";

const { Gitlab } = createRequire(`${process.env.NODE_PATH}/`)("@gitbeaker/rest");
const [host, token, project] = process.argv.slice(2);
const api = new Gitlab({ host, token });
let failed = 0;

async function step(name, action) {
  try {
    return await action();
  } catch (error) {
    failed = 1;
    console.log(`${name}: ${error.message} ${error.cause?.description ?? ""}`);
    return {};
  }
}

await step("project", () => api.Projects.show(project));
await step("projects by keyset", () => api.Projects.all({ pagination: "keyset", orderBy: "id", perPage: 1, sort: "asc" }));
await step("label", () => api.ProjectLabels.create(project, "gitbeaker", "#123456"));
const issue = await step("issue", () => api.Issues.create(project, "From gitbeaker", { labels: "gitbeaker,bug" }));
await step("issues", () => api.Issues.all({ projectId: project, labels: "gitbeaker" }));
await step("comment", () => api.IssueNotes.create(project, issue.iid, "A comment"));
await step("subscribe", () => api.Issues.unsubscribe(project, issue.iid));
await step("to-do", () => api.Issues.createTodo(project, issue.iid));
const todos = await step("to-dos", () => api.TodoLists.all());
await step("to-do done", () => api.TodoLists.done({ todoId: todos[0].id }));
const content = new Blob(["a log"]);
await step("upload", () => api.ProjectMarkdownUploads.create(project, { content, filename: "log.txt" }));
await step("uploads", () => api.ProjectMarkdownUploads.all(project));
await step("branch", () => api.Branches.create(project, "beaker", "main"));
const action = { action: "create", filePath: "beaker.txt", content: "one\ntwo\n" };
await step("commit", () => api.Commits.create(project, "beaker", "Add a file", [action]));
await step("file", () => api.RepositoryFiles.show(project, "beaker.txt", "beaker"));
await step("change of the file", () => api.RepositoryFiles.edit(project, "beaker.txt", "beaker", "three\n", "Change it"));
await step("archive", () => api.Repositories.showArchive(project, { fileType: "zip" }));
const request = await step("merge request", () => api.MergeRequests.create(project, "beaker", "main", "From gitbeaker"));
const { iid } = request;
const shown = await step("merge request again", () => api.MergeRequests.show(project, iid));
const position = {
  baseSha: shown.diff_refs.base_sha,
  startSha: shown.diff_refs.start_sha,
  headSha: shown.diff_refs.head_sha,
  positionType: "text",
  newPath: "beaker.txt",
  newLine: "1",
};
const thread = await step("thread", () => api.MergeRequestDiscussions.create(project, iid, "About this", { position }));
await step("reply", () => api.MergeRequestDiscussions.addNote(project, iid, thread.id, "Done"));
await step("resolve", () => api.MergeRequestDiscussions.resolve(project, iid, thread.id, true));
await step("draft", () => api.MergeRequestDraftNotes.create(project, iid, "Later"));
await step("publish", () => api.MergeRequestDraftNotes.publishBulk(project, iid));
await step("diffs", () => api.MergeRequests.allDiffs(project, iid));
await step("pipelines", () => api.MergeRequests.allPipelines(project, iid));
const pipelines = await step("all pipelines", () => api.Pipelines.all(project));
const { id: pipelineId } = pipelines.find(({ status }) => status === "failed");
const jobs = await step("jobs", () => api.Jobs.all(project, { pipelineId }));
await step("log", () => api.Jobs.showLog(project, jobs[0].id));
await step("merge", () => api.MergeRequests.merge(project, iid, { shouldRemoveSourceBranch: true }));
await step("close", () => api.Issues.edit(project, issue.iid, { stateEvent: "close" }));
process.exitCode = failed;
