# RECIPE= names the recipe, ARGS= takes overrides: make sft ARGS="train.num_train_epochs=2".
RECIPE ?= recipes/demo.yaml
ARGS ?=
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := pyproject.toml constraints.txt scripts/setup.sh scripts/warm_up.py scripts/requirements.py scripts/llama_cpp.cmake
STATE := $(shell cat $(SETUP) | sha256sum | cut -c1-16)
READY := $(VENV)/ready-$(STATE)
SETUP_TESTS := scripts/setup_tests.sh
READY_TESTS := $(VENV)/ready-tests-$(STATE)-$(shell cat $(SETUP_TESTS) | sha256sum | cut -c1-8)
# Each stage is a process of its own: without byte code it would compile PyTorch at every start.
unexport PYTHONDONTWRITEBYTECODE
STAGES := data base queries fit allmrec_items rationales filter sft allmrec_llm candidates tag dpo export rerank recommend eval report

.PHONY: help setup setup-tests demo docs plan doctor test test-all lint push clean samples zero-shot \
	bench-data bench-generation bench-headlines bench-index bench-generation-cache bench-estimate \
	bench-eval bench-scoring bench-filter bench-served bench-train bench-gpu bench-rankers bench-morphemes \
	bench-hybrid-knn bench-support bench-lightfm bench-serve bench-picks bench-kill bench-persona \
	bench-chat bench-chat-speed bench-sequence-growth bench-rectools bench-sequences \
	bench-allmrec bench-allmrec-llm bench-cold-start bench-learning-curve bench-blind screenshots $(STAGES)
.DEFAULT_GOAL := help

help:  ## this list
	@echo "rectune: make TARGET [RECIPE=recipes/demo.yaml] [ARGS=\"section.key=value …\"]"
	@grep -hE '^[a-z $$()A-Z_-]+:.*##' $(MAKEFILE_LIST) | sed 's/$$(STAGES)/STAGE/' | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'
	@echo "  where STAGE is one of: $(STAGES)"

setup: $(READY)  ## build .venv against constraints.txt, with what users need; skipped when it is up to date

setup-tests: $(READY_TESTS)  ## the same, and what only the tests and benchmarks need

$(READY): $(SETUP)
	@PYTHON=$(PYTHON) VENV=$(VENV) bash scripts/setup.sh
	@rm -f $(VENV)/ready-*
	@touch $@

$(READY_TESTS): $(READY) $(SETUP_TESTS)
	@PYTHON=$(PYTHON) VENV=$(VENV) EXTRAS=dev bash scripts/setup.sh
	@bash scripts/setup_tests.sh
	@touch $@

demo: setup  ## the whole pipeline on the sample data, to a report and recommendations
	@$(BIN)/rectune run $(RECIPE) $(ARGS)

$(STAGES): setup  ## run the pipeline up to this stage
	@$(BIN)/rectune run $(RECIPE) $(ARGS) --until $@

push: setup  ## model, data and cards to the Hub; dry unless release.dry_run is false
	@$(BIN)/rectune push $(RECIPE) $(ARGS)

plan: setup  ## which stages would run, and why
	@$(BIN)/rectune plan $(RECIPE) $(ARGS)

doctor: setup  ## what works on this machine
	@$(BIN)/rectune doctor

lint: setup-tests  ## ruff, mypy, the layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint, types, layering and the fast tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-all: lint  ## the slow tests: kills, several processes, terminal campaigns
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder

bench-data: setup-tests  ## the data stage against pandas on 57.6 million ratings: time and memory as ratios
	@$(BIN)/python -m bench.data

bench-generation: setup-tests  ## the engine against llama-cpp-python's Llama, as ratios
	@$(BIN)/python -m bench.generation $(ARGS)

bench-generation-cache: setup-tests  ## finding 100,000 answers in the generation cache: time and memory
	@$(BIN)/python -m bench.generation_cache

bench-filter: setup-tests  ## the response score and near-duplicates, as ratios; ARGS=--no-near
	@$(BIN)/python -m bench.filter $(ARGS)

bench-index: setup-tests  ## an index of 1,000,000 items: time, memory, recall; ARGS="--items 200000"
	@$(BIN)/python -m bench.index $(ARGS)

bench-headlines: setup-tests  ## Korean titles: precision@10; ARGS="--data path/to/korean_news"
	@$(BIN)/python -m bench.headlines $(ARGS)

bench-morphemes: setup-tests  ## the time of 10,000 Korean titles and of queries; ARGS="--items 2000"
	@$(BIN)/python -m bench.morphemes $(ARGS)

bench-support: setup-tests  ## the check of reasons on planted good and bad ones; ARGS=--variants
	@$(BIN)/python -m bench.support $(ARGS)

bench-served: setup-tests  ## what validation chooses and test users are served; DATA=path
	@$(BIN)/python -m bench.served --data $(DATA) $(ARGS)

bench-allmrec: setup-tests  ## what A-LLMRec's first stage adds, on MovieLens; DATA=path ARGS=--quick
	@$(BIN)/python -m bench.allmrec --data $(DATA) $(ARGS)

bench-allmrec-llm: setup-tests  ## what its second stage, the language model, adds; DATA=path ARGS=--quick
	@$(BIN)/python -m bench.allmrec_llm --data $(DATA) $(ARGS)

bench-hybrid-knn: setup-tests  ## hybrid item-kNN by its parts, its embedder tuned; DATA=path ARGS=--quick
	@$(BIN)/python -m bench.hybrid_knn --data $(DATA) $(ARGS)

bench-persona: setup-tests  ## what a persona finds, and what it is worth; ARGS="--catalogue FILE --interactions FILE"
	@$(BIN)/python -m bench.persona $(ARGS)

bench-serve: setup-tests  ## a real server: ranking, users, reasons, overload; ARGS="--quick --json FILE"
	@$(BIN)/python -m bench.serve $(ARGS)

bench-picks: setup-tests  ## NDCG@10 of new visitors after 3, 5 and 8 ticks; ARGS="--data path/to/data"
	@$(BIN)/python -m bench.picks $(ARGS)

bench-kill: setup-tests  ## a server is killed under load, 50 times a database; ARGS="--kills 3"
	@$(BIN)/python -m bench.kill_serve $(ARGS)

bench-train: setup-tests  ## the stage sft against a bare trl, packed against single rows
	@$(BIN)/python -m bench.train $(ARGS)

bench-gpu: setup-tests  ## training, the stages and the engine on an NVIDIA GPU, 8 minutes; ARGS="train"
	@bench/gpu.sh $(ARGS)

bench-estimate: setup-tests  ## the estimate of the demo's training against its measurement
	@$(BIN)/python -m bench.estimate $(ARGS)

bench-eval: setup-tests  ## scoring 20 candidates after one shared prompt against 20 full prompts
	@$(BIN)/python -m bench.evaluation $(ARGS)

bench-learning-curve: setup-tests  ## training rows of which form, and how many, rank better; DATA=path ARGS=--quick
	@$(BIN)/python -m bench.learning_curve --data $(DATA) $(ARGS)

bench-blind: setup-tests  ## two models' answers judged blindly in both orders; ARGS="--out FOLDER"
	@$(BIN)/python -m bench.blind --stages runs/by-recipe/$(notdir $(basename $(RECIPE))) $(ARGS)

bench-scoring: setup-tests  ## what a model should score titles by; ARGS="--data path/to/data"
	@$(BIN)/python -m bench.scoring_study $(ARGS)

bench-chat: setup-tests  ## conversations with simulated people on the samples; ARGS="--conversations 20"
	@$(BIN)/python -m bench.chat $(ARGS)

bench-chat-speed: setup  ## time and prompt tokens of turns in the service, embedded model; ARGS="--turns 30"
	@$(BIN)/python -m bench.chat_speed $(ARGS)

bench-lightfm: setup-tests  ## LightFM against lightfm-next, as ratios; ARGS="--rival path/to/its/python"
	@$(BIN)/python -m bench.lightfm $(ARGS)

bench-rankers: setup-tests  ## rankers that learn from likes, against implicit, as ratios; ARGS=--largest
	@$(BIN)/python -m bench.rankers $(ARGS)

bench-sequence-growth: setup-tests  ## a training step of SASRec at 10,000 to 1,000,000 items: time, memory
	@$(BIN)/python -m bench.sequence_growth $(ARGS)

bench-sequences: setup-tests  ## networks and other rankers, new users of real data; DATA=path ARGS=--quick
	@$(BIN)/python -m bench.sequences --data $(DATA) $(ARGS)

bench-rectools: setup-tests  ## our SASRec against that of RecTools, in an environment of its own; DATA=path
	@$(BIN)/python -m bench.rectools_rival --data $(DATA) $(ARGS)

bench-cold-start: setup-tests  ## from how many users on likes beat titles; DATA=path ARGS="--picture FILE"
	@$(BIN)/python -m bench.cold_start $(if $(DATA),--data $(DATA)) $(ARGS)

zero-shot: setup  ## leave one domain out: tune on the others, test on it; DATA=path for other data
	@$(BIN)/rectune leave-one-domain-out $(RECIPE) $(ARGS) $(if $(DATA),--data $(DATA))

docs: setup  ## regenerate the pages made from the code: recipe keys, table of licences
	@$(BIN)/python -m scripts.recipe_keys > docs/recipe-keys.md
	@$(BIN)/python -m scripts.licence_table docs/licences.md

samples: setup  ## regenerate the sample data
	$(BIN)/python -m samples.make_samples

screenshots: setup-tests  ## the pictures in README and docs: pages of rectune serve, the report of a finished demo
	@$(BIN)/python -m scripts.screenshots runs docs

clean: setup  ## list what no recipe links to, and ask before deleting it
	@$(BIN)/rectune clean
